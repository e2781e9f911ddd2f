import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { until } from '../../base/until.ts';
import { temporaryFolder } from '../../testbed/temporary-folder.ts';
import { vethTestbed } from '../../testbed/veth-testbed.ts';
import { startTcpdump } from '../capture/tcpdump.ts';
import { plainCapture, testSpawner } from '../testing/tcpdump-fixtures.ts';

// 1,024 KiB are 4 blocks, the fewest that Podcap uses; 32,768 the most.
test.each([1_024, 4_096, 16_384, 32_768])(
  'a receive ring of %i KiB that is full is reported, and its statistics are not reset',
  async (bufferKib) => {
    await using capture = await startCapture(bufferKib);
    const { tcpdump, testbed } = capture;
    const count = 2 * bufferKib;
    process.kill(tcpdump.pid() ?? 0, 'SIGSTOP');
    await testbed.sendDatagrams({ count, rate: 0, bytes: 1_000 });
    process.kill(tcpdump.pid() ?? 0, 'SIGCONT');
    await until(() => capture.fullReports() > 0, { what: 'a report' });
    const { statistics } = await tcpdump.stop('flush');
    expect(statistics?.dropped).toBeGreaterThan(0);
    expect(statistics?.received).toBe(count);
    expect(statistics?.captured).toBe(count - (statistics?.dropped ?? 0));
  },
);

test('a receive ring that is emptied in time is not reported', async () => {
  await using capture = await startCapture(1_024);
  await capture.testbed.sendDatagrams({ count: 5_000, rate: 5_000, bytes: 1_000 });
  const { statistics } = await capture.tcpdump.stop('flush');
  expect(statistics).toEqual({ captured: 5_000, received: 5_000, dropped: 0 });
  expect(capture.fullReports()).toBe(0);
});

test('a receive ring that is full again and again is reported once in ten seconds', async () => {
  await using capture = await startCapture(1_024);
  const { tcpdump, testbed } = capture;
  const startMs = performance.now();
  for (let times = 0; times < 3; times += 1) {
    process.kill(tcpdump.pid() ?? 0, 'SIGSTOP');
    await testbed.sendDatagrams({ count: 2_000, rate: 0, bytes: 1_000 });
    process.kill(tcpdump.pid() ?? 0, 'SIGCONT');
    const counted = async () => (await tcpdump.count())?.received === 2_000 * (times + 1);
    await until(counted, { what: 'all datagrams' });
  }
  const passedMs = performance.now() - startMs;
  await tcpdump.stop('flush');
  expect(capture.fullReports()).toBeGreaterThan(0);
  expect(capture.fullReports()).toBeLessThanOrEqual(1 + Math.ceil(passedMs / 10_000));
});

test('the kernel makes a ring of exactly the size that is requested', async () => {
  for (const kib of [1_024, 4_096, 16_384, 32_768]) {
    await using capture = await startCapture(kib);
    const maps = await readFile(`/proc/${capture.tcpdump.pid()}/maps`, 'utf8');
    const sizes = [...maps.matchAll(/^(\w+)-(\w+) .* socket:\[\d+\]$/gm)].map(
      ([, from, to]) => Number(`0x${to}`) - Number(`0x${from}`),
    );
    // libpcap's mapping, and the library's.
    expect(sizes).toEqual([kib * 1_024, kib * 1_024]);
  }
});

/** A tcpdump with a receive ring of that size, and how often it has reported that it is full. */
async function startCapture(bufferKib: number) {
  await using opening = new AsyncDisposableStack();
  const testbed = opening.use(await vethTestbed());
  const folder = opening.use(await temporaryFolder());
  const spawner = opening.use(await testSpawner());
  let full = 0;
  const tcpdump = startTcpdump({
    ...plainCapture,
    spawner,
    netns: testbed.netns,
    file: join(folder.path, 'web.pcap'),
    bufferKib,
    onReceiveRingFull: () => (full += 1),
  });
  await tcpdump.started;
  const opened = opening.move();
  return {
    testbed,
    tcpdump,
    fullReports: () => full,
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}
