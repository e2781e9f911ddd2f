import { endSignals } from '../../end-signals.ts';
import { openCluster } from '../open-cluster.ts';

/**
 * A command that reads the Pods and then waits for a signal, after which it reads them again. Its arguments are kubectl
 * and the flags for it.
 */
async function main([program = '', ...flags]: readonly string[]): Promise<void> {
  using ending = endSignals(process);
  const { signal } = new AbortController();
  await using cluster = await openCluster(
    { program, flags, namespace: 'shop', env: process.env },
    ['/api/v1/pods'],
    signal,
  );
  const read = async () => {
    const { status, body } = await cluster.request({ path: '/api/v1/pods', signal });
    body.resume();
    return status;
  };
  process.stdout.write(`plugin ${process.pid} was answered ${await read()}\n`);
  const ended = Promise.withResolvers<void>();
  ending.signal.addEventListener('abort', () => ended.resolve());
  await ended.promise;
  process.stdout.write(`after the signal it was answered ${await read()}\n`);
}

await main(process.argv.slice(2));
