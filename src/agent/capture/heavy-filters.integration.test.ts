import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { until } from '../../base/until.ts';
import { run } from '../../testbed/run-program.ts';
import { temporaryFolder } from '../../testbed/temporary-folder.ts';
import { vethTestbed } from '../../testbed/veth-testbed.ts';
import { plainCapture, testSpawner } from '../testing/tcpdump-fixtures.ts';
import { startTcpdump } from './tcpdump.ts';

/** It takes 0.2 to 1 s of CPU time to compile, so filter-check.ts accepts it. */
const heavy = Array.from({ length: 100 }, (_, port) => `port ${port}`).join(' or ');

test('tcpdump waits while another one compiles a heavy filter, if its own is heavy too', async () => {
  await using scene = await heavyScene();
  const waiting = scene.startWith(heavy, 'heavy.pcap');
  await until(async () => (await pidsThatWaitForLocks()).includes(waiting.pid() ?? 0), { what: 'the lock' });
  const light = scene.startWith('tcp port 80', 'light.pcap');
  expect(await light.started).toEqual({ kind: 'listening' });
  expect(await pidsThatWaitForLocks()).toContain(waiting.pid());
  scene.unlock();
  expect(await waiting.started).toEqual({ kind: 'listening' });
  await Promise.all([light.stop('kill'), waiting.stop('kill')]);
});

test('tcpdump does not wait for a lock that is never given back', { timeout: 60_000 }, async () => {
  await using scene = await heavyScene();
  const tcpdumps = ['one.pcap', 'two.pcap'].map((file) => scene.startWith(heavy, file));
  for (const tcpdump of tcpdumps) expect(await tcpdump.started).toEqual({ kind: 'listening' });
  await Promise.all(tcpdumps.map((tcpdump) => tcpdump.stop('kill')));
});

test('a filter that takes too long is given up where it is compiled, even if nobody has checked it before', {
  timeout: 120_000,
}, async () => {
  await using testbed = await vethTestbed();
  await using captures = await temporaryFolder();
  await using spawner = await testSpawner();
  const filter = `portrange ${Array.from({ length: 190 }, (_, i) => `${2 * i}-${2 * i + 1}`).join('||')}`;
  const file = join(captures.path, 'capture.pcap');
  const tcpdump = startTcpdump({ ...plainCapture, spawner, netns: testbed.netns, file, filter });
  expect(await tcpdump.started).toMatchObject({
    kind: 'ended',
    cause: 'filterRefused',
    message: 'it takes too long to compile',
  });
});

/** The lock is held, as by a tcpdump that compiles, until `unlock`. */
async function heavyScene() {
  await using opening = new AsyncDisposableStack();
  const testbed = opening.use(await vethTestbed());
  const captures = opening.use(await temporaryFolder());
  const spawner = opening.use(await testSpawner());
  const program = (await run(['which', 'tcpdump'])).trim();
  const other = spawn('flock', [program, 'sh', '-c', 'echo locked; cat'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const unlock = () => void other.stdin.end();
  opening.defer(unlock);
  await once(other.stdout, 'data');
  const opened = opening.move();
  return {
    startWith: (filter: string, file: string) =>
      startTcpdump({
        ...plainCapture,
        spawner,
        netns: testbed.netns,
        file: join(captures.path, file),
        filter,
      }),
    unlock,
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

async function pidsThatWaitForLocks(): Promise<number[]> {
  const locks = await readFile('/proc/locks', 'utf8');
  return [...locks.matchAll(/-> FLOCK +ADVISORY +WRITE (\d+) /g)].map(([, pid]) => Number(pid));
}
