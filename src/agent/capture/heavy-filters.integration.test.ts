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
  await using testbed = await vethTestbed();
  await using captures = await temporaryFolder();
  await using spawner = await testSpawner();
  const startWith = (filter: string, file: string) =>
    startTcpdump({
      ...plainCapture,
      spawner,
      netns: testbed.netns,
      file: join(captures.path, file),
      filter,
    });
  const program = (await run(['which', 'tcpdump'])).trim();
  const other = spawn('flock', [program, 'sh', '-c', 'echo locked; cat'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  await once(other.stdout, 'data');

  const waiting = startWith(heavy, 'heavy.pcap');
  await until(async () => (await pidsThatWaitForLocks()).includes(waiting.pid() ?? 0), { what: 'the lock' });
  const light = startWith('tcp port 80', 'light.pcap');
  expect(await light.started).toEqual({ kind: 'listening' });
  expect(await pidsThatWaitForLocks()).toContain(waiting.pid());
  other.stdin.end();
  expect(await waiting.started).toEqual({ kind: 'listening' });
  await Promise.all([light.stop('kill'), waiting.stop('kill')]);
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

async function pidsThatWaitForLocks(): Promise<number[]> {
  const locks = await readFile('/proc/locks', 'utf8');
  return [...locks.matchAll(/-> FLOCK +ADVISORY +WRITE (\d+) /g)].map(([, pid]) => Number(pid));
}
