import { pino } from 'pino';
import * as v from 'valibot';
import { watchPodNetworks } from '../netns/pod-networks.ts';

/**
 * The finder of Pod networks in a child process, for tests in which a process or its namespaces lack something. It
 * reports when it is ready, and answers each Pod that its parent sends with that Pod's network, or null.
 */
async function main(): Promise<void> {
  const options = v.parse(optionsSchema, JSON.parse(process.argv[2] ?? ''));
  const networks = await watchPodNetworks({ ...options, log: pino({ level: 'warn' }) });
  process.on('message', (pod) => {
    void networks.find(v.parse(podSchema, pod)).then((network) => process.send?.(network ?? null));
  });
  process.once('disconnect', () => void networks[Symbol.asyncDispose]());
  process.send?.('ready');
}

const optionsSchema = v.object({ resultsFolder: v.string(), netnsFolder: v.string(), resyncMs: v.number() });
const podSchema = v.object({ namespace: v.string(), name: v.string(), uid: v.string() });

void main();
