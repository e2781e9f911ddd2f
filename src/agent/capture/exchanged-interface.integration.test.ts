import { rm } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { happens, until } from '../../base/until.ts';
import { type VethTestbed, vethTestbed } from '../../testbed/veth-testbed.ts';
import { entryPath } from '../../testbed/write-cni-entry.ts';
import { readRecord } from '../storage/capture-records.ts';
import { specOf } from '../testing/fixtures.ts';
import { recordingScene } from '../testing/recording-scene.ts';

// The interface of a capture is the one with its index, whatever becomes of its name.

/** Adds another eth0, through which what is sent to the sink passes; by one process, because it must be quick. */
const addOther = [
  'link add eth0 type veth peer name other0',
  'link set other0 up',
  'link set eth0 up',
  'route add 192.0.2.9 dev eth0',
  'neighbour add 192.0.2.9 lladdr 02:00:00:00:00:03 dev eth0 nud permanent',
];
const renameTo = (name: string, from = 'eth0') => [
  `link set ${from} down`,
  `link set ${from} name ${name}`,
  `link set ${name} up`,
];

test('when eth0 is renamed and another eth0 takes its place, that one is captured, and reported', async () => {
  await using testbed = await vethTestbed();
  await using scene = await recordingScene(testbed);
  const { recorder, reports, path } = await scene.record(3);
  await testbed.sendDatagrams({ count: 5 });
  await ip(testbed, [...renameTo('eth1'), ...addOther]);
  await until(() => reports.length > 1, { what: 'the second capture' });
  await testbed.sendDatagrams({ count: 10, firstNumber: 5 });
  await recorder.stop('AgentStopped');
  expect(reports[1]).toMatchObject({ kind: 'capturing', generation: 2, isOtherInterface: true });
  expect(await scene.numbers(path, 1)).toEqual([0, 1, 2, 3, 4]);
  expect(await scene.numbers(path, 2)).toEqual([5, 6, 7, 8, 9, 10, 11, 12, 13, 14]);
  // The first capture ran until the second one listened.
  const [first, second] = await Promise.all([1, 2].map((generation) => readRecord(path, generation)));
  expect(Date.parse(first?.endTime ?? '')).toBeGreaterThan(Date.parse(second?.startTime ?? ''));
});

test('what passed another eth0 before it is captured counts as missed', async () => {
  await using testbed = await vethTestbed();
  await using scene = await recordingScene(testbed);
  const { recorder, reports, path } = await scene.record(3);
  await testbed.sendDatagrams({ count: 5 });
  await ip(testbed, [...renameTo('eth1'), ...addOther]);
  await testbed.sendDatagrams({ count: 10, firstNumber: 5 });
  await until(() => reports.length > 1, { what: 'the second capture' });
  await recorder.stop('AgentStopped');
  expect(reports[1]).toMatchObject({ kind: 'capturing', missedBefore: { kind: 'first', packets: 10 } });
  expect(await scene.numbers(path)).toEqual([0, 1, 2, 3, 4]);
  const indexes = await Promise.all([1, 2].map(async (n) => (await readRecord(path, n))?.interfaceIndex));
  expect(new Set(indexes)).toHaveLength(2);
});

test('an eth0 that is only renamed stays captured and counted, and is reported', async () => {
  await using testbed = await vethTestbed();
  await using scene = await recordingScene(testbed);
  const { recorder, reports, path } = await scene.record(3);
  await testbed.sendDatagrams({ count: 5 });
  await ip(testbed, [...renameTo('eth1'), 'route add 192.0.2.9 dev eth1', neighbour('eth1')]);
  await until(() => reports.length > 1, { what: 'a report' });
  expect(reports[1]).toMatchObject({ kind: 'interfaceRenamed', interface: 'eth0', name: 'eth1' });
  await testbed.sendDatagrams({ count: 10, firstNumber: 5 });
  await ip(testbed, renameTo('eth0', 'eth1'));
  await until(() => reports.length > 2, { what: 'the next report' });
  expect(reports[2]).toMatchObject({ kind: 'capturing', generation: 1 });
  await recorder.stop('AgentStopped');
  expect(await scene.numbers(path)).toHaveLength(15);
  const record = await readRecord(path, 1);
  expect(record).toMatchObject({ interfacePackets: 15, totals: { captured: 15, unseen: 0, missed: 0 } });
});

test('when eth0 is deleted and another eth0 appears, that one is captured, and reported', async () => {
  await using testbed = await vethTestbed();
  await using scene = await recordingScene(testbed);
  const { recorder, reports, path } = await scene.record(3);
  await testbed.sendDatagrams({ count: 50 });
  await ip(testbed, ['link delete eth0', ...addOther]);
  await testbed.sendDatagrams({ count: 10, firstNumber: 50 });
  await until(() => reports.length > 1, { what: 'the second capture' });
  await testbed.sendDatagrams({ count: 10, firstNumber: 60 });
  await recorder.stop('AgentStopped');
  // The new interface has counted fewer packets than the first one had.
  expect(reports[1]).toMatchObject({
    generation: 2,
    isOtherInterface: true,
    missedBefore: { kind: 'first', packets: 10 },
  });
  expect(await scene.numbers(path, 2)).toEqual([60, 61, 62, 63, 64, 65, 66, 67, 68, 69]);
});

test('another eth0 that takes the name later is captured from then on', async () => {
  await using testbed = await vethTestbed();
  await using scene = await recordingScene(testbed);
  const { recorder, reports } = await scene.record(3);
  await ip(testbed, renameTo('eth1'));
  await until(() => reports.length > 1, { what: 'a report' });
  await ip(testbed, addOther);
  await until(() => reports.length > 2, { what: 'the second capture' });
  expect(reports.map(({ kind }) => kind)).toEqual(['capturing', 'interfaceRenamed', 'capturing']);
  await recorder.stop('AgentStopped');
});

test('a Pod that loses an additional interface keeps its network, also when the CNI cache is cleared', async () => {
  await using testbed = await vethTestbed();
  await using scene = await recordingScene(testbed);
  await ip(testbed, ['link add net1 type veth peer name net2', 'link set net1 up']);
  const { recorder, reports } = await scene.record(3, { interfaces: ['net1'] });
  await ip(testbed, ['link delete net1']);
  await until(() => reports.at(-1)?.kind === 'refused', { what: 'the end of the capture' });
  await rm(entryPath(scene.entry));
  recorder.change(specOf(3));
  const isCaptured = () => reports.at(-1)?.kind === 'capturing';
  expect(await happens(isCaptured, { withinMs: 5_000 })).toBe(true);
  await recorder.stop('AgentStopped');
});

function neighbour(name: string): string {
  return `neighbour add 192.0.2.9 lladdr 02:00:00:00:00:01 dev ${name} nud permanent`;
}

async function ip(testbed: VethTestbed, commands: readonly string[]): Promise<void> {
  await testbed.exec('pod', ['sh', '-ec', 'printf "%s\\n" "$@" | ip -batch -', 'sh', ...commands]);
}
