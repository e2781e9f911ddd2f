import { readdir } from 'node:fs/promises';
import { beforeAll, describe, expect, test } from 'vitest';
import { until } from '../../base/until.ts';
import { vethTestbed } from '../../testbed/veth-testbed.ts';
import { removeCniEntry, writeCniEntry } from '../../testbed/write-cni-entry.ts';
import { readRecords, totalsOf } from '../storage/capture-records.ts';
import { specOf } from '../testing/fixtures.ts';
import { recordingScene, ringFilesOf } from '../testing/recording-scene.ts';

/** 1,000-byte datagrams: about 930 fill a file. */
const perFile = 930;

/** What a Pod sends before it is quiet: nearly four files, of which a ring of three keeps the newest. */
const burst = { count: 3_500, rate: 8_000, bytes: 1_000 };

describe.each([1, 3])('a quiet Pod with a ring of %i', (files) => {
  const startsWith = (numbers: readonly number[]) => [numbers[0], numbers.at(-1), numbers.length];
  let before: readonly number[];
  let afterRestarts: readonly number[];
  let fileCount: number;

  beforeAll(async () => {
    await using testbed = await vethTestbed();
    await using scene = await recordingScene(testbed);
    const { recorder, path } = await scene.record(files);
    await testbed.sendDatagrams(burst);
    await recorder.stop('AgentStopped');
    before = await scene.numbers(path);
    for (let times = 0; times < 2 * files + 2; times += 1) {
      const next = await scene.record(files);
      await next.recorder.stop('AgentStopped');
    }
    afterRestarts = await scene.numbers(path);
    fileCount = (await ringFilesOf(path)).length;
  });

  test('has its newest packets in complete files and a started one', () => {
    expect(before.at(-1)).toBe(burst.count - 1);
    expect(before.length).toBeGreaterThanOrEqual((files - 1) * 900);
  });

  test('keeps every packet when its capture starts again, more often than the ring has files', () => {
    expect(startsWith(afterRestarts)).toEqual(startsWith(before));
  });

  test('has one file more after that, without packets', () => {
    expect(fileCount).toBe(files + 1);
  });
});

test('a changed filter costs a quiet Pod none of its packets, however often it changes', async () => {
  await using testbed = await vethTestbed();
  await using scene = await recordingScene(testbed);
  const { recorder, reports, path } = await scene.record(3);
  await testbed.sendDatagrams(burst);
  await until(async () => (await scene.numbers(path)).at(-1) === burst.count - 1, {
    what: 'the last datagram',
  });
  const before = await scene.numbers(path);
  for (let port = 1; port <= 5; port += 1) {
    recorder.change(specOf(3, { filter: `udp port ${port}` }));
    await until(
      async () =>
        reports.filter(({ kind }) => kind === 'capturing').length === port + 1 &&
        (await readRecords(path)).filter(({ endTime }) => endTime !== undefined).length === port,
      { what: `the capture with filter ${port} alone` },
    );
  }
  expect(await scene.numbers(path)).toEqual(before);
  await recorder.stop('AgentStopped');
  expect(await scene.numbers(path)).toEqual(before);
});

test('lost interfaces cost none of the packets of a Pod that is quiet after each', async () => {
  await using first = await vethTestbed();
  await using scene = await recordingScene(first);
  const { recorder, reports, path } = await scene.record(3);
  let sent = 0;
  let { entry } = scene;
  for (let times = 1; times <= 4; times += 1) {
    // Together less than three files.
    await using testbed = await vethTestbed();
    await removeCniEntry(entry);
    entry = { ...scene.entry, sandboxId: `sandbox${times + 1}`, netns: testbed.netns };
    await writeCniEntry(entry);
    await until(() => reports.filter(({ kind }) => kind === 'capturing').length === times + 1, {
      what: `capture ${times}`,
    });
    await testbed.sendDatagrams({ ...burst, count: 600, firstNumber: sent });
    sent += 600;
    await until(async () => (await scene.numbers(path)).length === sent, { what: `${sent} datagrams` });
    await testbed.deleteInterface();
    await until(async () => (await scene.tcpdumps()).length === 0, { what: 'tcpdump to end' });
  }
  await recorder.stop('AgentStopped');
  expect(await scene.numbers(path)).toEqual(Array.from({ length: sent }, (_value, number) => number));
});

test('what is pruned after the last capture has ended is counted, too', async () => {
  await using testbed = await vethTestbed();
  await using scene = await recordingScene(testbed);
  let sent = 0;
  let path = '';
  for (let times = 0; times < 4; times += 1) {
    const started = await scene.record(1);
    ({ path } = started);
    await testbed.sendDatagrams({ ...burst, count: 600, firstNumber: sent });
    sent += 600;
    await started.recorder.stop('AgentStopped');
  }
  const { captured, pruned } = totalsOf(await readRecords(path));
  const inFiles = (await scene.numbers(path)).length;
  expect(inFiles).toBeLessThan(sent);
  expect({ captured, inFiles: captured - pruned }).toEqual({ captured: sent, inFiles });
});

test('when the Pod sends again, the ring keeps N complete files and no more, and they have no hole', async () => {
  await using testbed = await vethTestbed();
  await using scene = await recordingScene(testbed);
  let sent = 0;
  let path = '';
  // Each start leaves half a file, at an offset of its own.
  for (let times = 0; times < 12; times += 1) {
    const started = await scene.record(3);
    ({ path } = started);
    await testbed.sendDatagrams({ ...burst, count: 500, firstNumber: sent });
    sent += 500;
    await started.recorder.stop('AgentStopped');
    const numbers = await scene.numbers(path);
    expect(numbers).toEqual(
      Array.from({ length: numbers.length }, (_value, at) => sent - numbers.length + at),
    );
    expect(numbers.length).toBeGreaterThanOrEqual(Math.min(sent, 2 * 900));
    expect(numbers.length).toBeLessThanOrEqual(4 * perFile);
  }
  expect((await readdir(path)).filter((name) => name.endsWith('.json')).length).toBeGreaterThan(3);
});
