import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { until } from '../../base/until.ts';
import { type VethTestbed, vethTestbed } from '../../testbed/veth-testbed.ts';
import { removeCniEntry, writeCniEntry } from '../../testbed/write-cni-entry.ts';
import type { CaptureSpec } from '../planner/annotations.ts';
import { readRecord } from '../storage/capture-records.ts';
import { specOf } from '../testing/fixtures.ts';
import { recordingScene, ringFilesOf, scenePod } from '../testing/recording-scene.ts';

test('everything that an ending Pod sent until its interface was deleted is in the files', async () => {
  await using testbed = await vethTestbed();
  await using scene = await recordingScene(testbed);
  const { recorder, reports, path } = await scene.record(5);
  await using witness = await testbed.watchDatagrams();
  await using sending = await testbed.startDatagrams({ rate: 2_000 });
  await until(async () => (await scene.numbers(path)).length > 500, { what: '500 datagrams in the file' });
  await testbed.deleteInterface();
  await removeCniEntry(scene.entry);
  recorder.endWithPod();
  await recorder.ended;
  await sending.ended;
  expect(await scene.numbers(path)).toEqual(await witness.stop());
  expect(reports.at(-1)).toMatchObject({ kind: 'stopped', why: 'PodEnded' });
});

test('a Pod that was wrongly thought to have ended stays captured', async () => {
  await using testbed = await vethTestbed();
  await using scene = await recordingScene(testbed);
  const { recorder, reports, path } = await scene.record(5);
  await testbed.sendDatagrams({ count: 5 });
  recorder.endWithPod();
  recorder.change(specOf(5));
  await testbed.sendDatagrams({ count: 5, firstNumber: 5 });
  // Its sandbox is deleted, which would end the recording of an ended Pod.
  await testbed.deleteInterface();
  await removeCniEntry(scene.entry);
  await until(async () => (await scene.tcpdumps()).length === 0, { what: 'the first tcpdump to end' });
  await using second = await vethTestbed();
  await writeCniEntry({ ...scene.entry, sandboxId: 'sandbox2', netns: second.netns });
  await until(() => reports.filter(({ kind }) => kind === 'capturing').length === 2, {
    what: 'the second sandbox to be captured',
  });
  await recorder.stop('AgentStopped');
  expect(await scene.numbers(path)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
});

test('the record of a capture has its times, what was missed before it and what it counted', async () => {
  await using testbed = await vethTestbed();
  await using scene = await recordingScene(testbed);
  await testbed.sendDatagrams({ count: 7 });
  const { recorder, path } = await scene.record(5);
  await testbed.sendDatagrams({ count: 100 });
  await recorder.stop('AgentStopped');
  const record = await readRecord(path, 1);
  expect(record).toMatchObject({
    namespace: 'default',
    pod: 'web',
    uid: scenePod.uid,
    generation: 1,
    sandboxId: 'sandbox1',
    interface: 'eth0',
    interfacePackets: 107,
    totals: { captured: 100, dropped: 0, lostAtStop: 0, pruned: 0, missed: 7 },
  });
  expect(Date.parse(record?.endTime ?? '')).toBeGreaterThanOrEqual(Date.parse(record?.startTime ?? ''));
});

test('the newest N files hold an unbroken run up to the last datagram; a new N takes effect at once', async () => {
  await using testbed = await vethTestbed();
  await using scene = await recordingScene(testbed);
  const { recorder, path } = await scene.record(3);
  // 1,000-byte datagrams: about 930 fill a file.
  await testbed.sendDatagrams({ count: 9_000, rate: 20_000, bytes: 1_000 });
  await until(async () => (await scene.numbers(path)).at(-1) === 8_999, {
    what: 'the last datagram in a file',
  });
  await until(async () => (await ringFilesOf(path)).length === 3, { what: '3 files' });
  const numbers = await scene.numbers(path);
  expect(numbers).toEqual(Array.from({ length: numbers.length }, (_, i) => 9_000 - numbers.length + i));
  expect(numbers.length).toBeGreaterThan(2 * 900);

  recorder.change(specOf(1));
  await until(async () => (await ringFilesOf(path)).length === 1, { what: '1 file' });
  await recorder.stop('AgentStopped');
  expect((await scene.numbers(path)).at(-1)).toBe(8_999);
});

test('a new sandbox under the same UID is captured into new files', async () => {
  await using testbed = await vethTestbed();
  await using scene = await recordingScene(testbed);
  const { recorder, reports, path } = await scene.record(5);
  await testbed.sendDatagrams({ count: 10 });
  await testbed.deleteInterface();
  await removeCniEntry(scene.entry);
  await using second = await vethTestbed();
  await writeCniEntry({ ...scene.entry, sandboxId: 'sandbox2', netns: second.netns });
  await until(() => reports.filter(({ kind }) => kind === 'capturing').length === 2, {
    what: 'the second capture',
  });
  await second.sendDatagrams({ count: 10, firstNumber: 100 });
  await recorder.stop('AgentStopped');
  const numbers = await scene.numbers(path);
  expect(numbers).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 100, 101, 102, 103, 104, 105, 106, 107, 108, 109]);
  expect((await ringFilesOf(path)).map(({ generation }) => generation)).toEqual([1, 2]);
});

test('what a stopped tcpdump with a filter could not write before it was killed counts as missed', async () => {
  await using testbed = await vethTestbed();
  await using scene = await recordingScene(testbed);
  const first = await scene.record(5, { filter: 'udp' });
  await testbed.sendDatagrams({ count: 10 });
  await until(async () => (await scene.numbers(first.path)).length === 10, {
    what: '10 datagrams in a file',
  });
  process.kill(await scene.tcpdumpPid(), 'SIGSTOP');
  await testbed.sendDatagrams({ count: 20, firstNumber: 10 });
  await first.recorder.stop('AgentStopped');
  const { reports, recorder } = await scene.record(5, { filter: 'udp' });
  await recorder.stop('AgentStopped');
  const started = reports.find(({ kind }) => kind === 'capturing');
  expect(started).toMatchObject({ missedBefore: { kind: 'gap' } });
  const { packets } =
    started?.kind === 'capturing' && started.missedBefore.kind === 'gap'
      ? started.missedBefore
      : { packets: 0 };
  expect(packets).toBeGreaterThanOrEqual(20);
});

test('what a replaced tcpdump could not write before it was killed counts as missed', {
  timeout: 60_000,
}, async () => {
  await using testbed = await vethTestbed();
  await using scene = await recordingScene(testbed);
  const { recorder, reports, path } = await scene.record(5);
  await testbed.sendDatagrams({ count: 10 });
  await until(async () => (await scene.numbers(path)).length === 10, { what: '10 datagrams in a file' });
  process.kill(await scene.tcpdumpPid(), 'SIGSTOP');
  await testbed.sendDatagrams({ count: 20, firstNumber: 10 });
  recorder.change(specOf(5, { snaplen: 1_000 }));
  await until(async () => ((await readRecord(path, 2))?.totals.missed ?? 0) >= 20, {
    what: 'the datagrams to count',
    deadlineMs: 40_000,
  });
  expect(reports.at(-1)).toMatchObject({ kind: 'capturing', missedBefore: { kind: 'gap', isSettled: true } });
  await recorder.stop('AgentStopped');
});

test('a tcpdump that is killed is started again, and the failure is reported', async () => {
  await using testbed = await vethTestbed();
  await using scene = await recordingScene(testbed);
  const { recorder, reports } = await scene.record(5);
  process.kill(await scene.tcpdumpPid(), 'SIGKILL');
  await until(() => reports.filter(({ kind }) => kind === 'capturing').length === 2, {
    what: 'the second start',
  });
  expect(reports).toContainEqual({ kind: 'failed', message: 'ended by SIGKILL' });
  await recorder.stop('AgentStopped');
});

test('every packet is in a file or in a counter while files are pruned', async () => {
  await using testbed = await vethTestbed();
  await using scene = await recordingScene(testbed);
  const { recorder, path } = await scene.record(2);
  await testbed.sendDatagrams({ count: 9_000, rate: 20_000, bytes: 1_000 });
  await recorder.stop('AgentStopped');
  const record = await readRecord(path, 1);
  const inFiles = (await scene.numbers(path)).length;
  expect(inFiles).toBeLessThan(3_000);
  expect(record?.totals).toMatchObject({
    captured: 9_000,
    dropped: 0,
    lostAtStop: 0,
    missed: 0,
    pruned: 9_000 - inFiles,
  });
});

test('after a change of filter, snaplen or file size, the new capture starts before the old one ends', async () => {
  await using testbed = await vethTestbed();
  await using scene = await recordingScene(testbed);
  const { recorder, reports, path } = await scene.record(50);
  await using sending = await testbed.startDatagrams({ rate: 2_000 });
  const starts = () => reports.filter(({ kind }) => kind === 'capturing').length;
  const changes: Partial<CaptureSpec>[] = [{ snaplen: 128 }, { fileMegabytes: 2 }, { filter: 'udp' }];
  for (const [index, change] of changes.entries()) {
    recorder.change(specOf(50, change));
    await until(() => starts() === index + 2, { what: `start ${index + 2}` });
    await until(async () => (await readRecord(path, index + 1))?.endTime !== undefined, {
      what: `the end of ${index + 1}`,
    });
  }
  await sending.stop();
  await recorder.stop('AgentStopped');
  const numbers = new Set(await scene.numbers(path));
  const sent = await sending.ended;
  expect([...numbers].toSorted((a, b) => a - b)).toEqual(Array.from({ length: sent.sent }, (_, i) => i));
  for (const generation of [2, 3, 4]) {
    const inBoth = new Set(await scene.numbers(path, generation)).intersection(
      new Set(await scene.numbers(path, generation - 1)),
    );
    expect(inBoth.size).toBeGreaterThan(100);
    expect((await readRecord(path, generation))?.totals).toMatchObject({
      missed: 0,
      duplicated: inBoth.size,
    });
  }
});

test('an earlier request counts until the folder is measured without a tcpdump of that file size', async () => {
  await using testbed = await vethTestbed();
  let running = 0;
  await using scene = await recordingScene(testbed, {
    async measure() {
      running = (await scene.tcpdumps()).length;
    },
  });
  const { recorder } = await scene.record(5, { fileMegabytes: 2 });
  const formerMegabytes = () => recorder.ring().formerSizes.map(({ fileMegabytes }) => fileMegabytes);
  recorder.change(specOf(5));
  expect(formerMegabytes()).toEqual([2]);
  await until(() => formerMegabytes().length === 0, { what: 'the measurement' });
  expect(running).toBe(1);
  recorder.change(specOf(3));
  expect(recorder.ring()).toMatchObject({ size: { files: 3 }, formerSizes: [{ files: 5 }] });
  await until(() => formerMegabytes().length === 0, { what: 'the measurement after fewer files' });
  await recorder.stop('AgentStopped');
});

test('a request that changes back and forth counts each of its sizes once', async () => {
  await using testbed = await vethTestbed();
  // It never succeeds, so that each size counts until the end.
  await using scene = await recordingScene(testbed, {
    measure: () => Promise.reject(new Error('the folder cannot be measured')),
  });
  const { recorder } = await scene.record(5);
  for (let round = 0; round < 3; round += 1) {
    recorder.change(specOf(7));
    recorder.change(specOf(5));
  }
  expect(recorder.ring().formerSizes.map(({ files }) => files)).toEqual([5, 7]);
  await recorder.stop('AgentStopped');
});

test('a size that is requested again while the folder is measured still counts after that measurement', async () => {
  await using testbed = await vethTestbed();
  const measurements: PromiseWithResolvers<void>[] = [];
  await using scene = await recordingScene(testbed, {
    measure() {
      const measurement = Promise.withResolvers<void>();
      measurements.push(measurement);
      return measurement.promise;
    },
  });
  const { recorder } = await scene.record(5);
  recorder.change(specOf(7));
  await until(() => measurements.length === 1, { what: 'the first measurement' });
  recorder.change(specOf(5));
  recorder.change(specOf(7));
  measurements[0]?.resolve();
  await until(() => measurements.length === 2, { what: 'the measurement after the later changes' });
  expect(recorder.ring().formerSizes.map(({ files }) => files)).toEqual([7, 5]);
  measurements[1]?.resolve();
  await recorder.stop('AgentStopped');
});

test('a capture that cannot be counted ends, and so do its counters', async () => {
  await using testbed = await vethTestbed();
  await using scene = await recordingScene(testbed, {
    wrapFolder: (folder) => ({
      ...folder,
      async createGeneration(parameters) {
        const generation = await folder.createGeneration(parameters);
        if (generation.number > 1) return generation;
        return {
          ...generation,
          precedingOn() {
            throw new Error('broken');
          },
        };
      },
    }),
  });
  const { recorder, path } = await scene.record(5);
  expect(await readRecord(path, 1)).toMatchObject({ endMessage: 'broken', endTime: expect.any(String) });
  expect(await scene.tcpdumps()).toHaveLength(1);
  await recorder.stop('AgentStopped');
});

test('a changed interface starts with what it counted before as missed', async () => {
  await using testbed = await vethTestbed();
  await using scene = await recordingScene(testbed);
  await testbed.exec('pod', ['bash', '-c', 'for i in 1 2 3; do echo $i >/dev/udp/127.0.0.1/9; done; true']);
  const { recorder, reports } = await scene.record(5);
  recorder.change(specOf(5, { interfaces: ['lo'] }));
  await until(() => reports.length === 2, { what: 'the capture of lo' });
  await recorder.stop('AgentStopped');
  // Each datagram and the answer that nothing listens, both sent and received.
  expect(reports[1]).toMatchObject({
    kind: 'capturing',
    generation: 2,
    missedBefore: { kind: 'first', packets: 6 },
  });
});

test('a record that cannot be written leaves no tcpdump behind, and does not end the capture', async () => {
  await using testbed = await vethTestbed();
  await using scene = await recordingScene(testbed);
  const { recorder, reports, path } = await scene.record(5);
  await testbed.sendDatagrams({ count: 10 });
  // A non-empty folder in place of the file that a record is renamed from.
  await mkdir(join(path, 'capture.1.json.new/inside'), { recursive: true });
  await recorder.stop('AgentStopped');
  expect(reports.map(({ kind }) => kind)).toEqual(['capturing', 'stopped']);
  expect(reports[1]).toMatchObject({ totals: { captured: 10, lostAtStop: 0 } });
  expect(await testbed.processes()).toEqual([]);
});

test('a capture that is stopped before it listens has not failed', async () => {
  await using testbed = await vethTestbed();
  await using scene = await recordingScene(testbed);
  for (let i = 0; i < 10; i += 1) {
    const { recorder, reports } = await scene.start(5);
    await until(async () => (await testbed.processes()).length > 0, { what: 'a process in the network' });
    await recorder.stop('AnnotationRemoved');
    expect(reports.filter(({ kind }) => kind === 'failed')).toEqual([]);
  }
});

test('a changed N restarts nothing', async () => {
  await using testbed = await vethTestbed();
  await using scene = await recordingScene(testbed);
  const { recorder, reports } = await scene.record(5);
  const before = await scene.tcpdumpPid();
  for (const count of [3, 100, 5]) recorder.change(specOf(count));
  await testbed.sendDatagrams({ count: 10 });
  expect(await scene.tcpdumpPid()).toBe(before);
  await recorder.stop('AgentStopped');
  expect(reports.map(({ kind }) => kind)).toEqual(['capturing', 'stopped']);
});

test('a filter that tcpdump does not compile is refused, and the next one is captured', async () => {
  await using testbed = await vethTestbed();
  await using scene = await recordingScene(testbed);
  const { recorder, reports } = await scene.record(5, { filter: 'tcp port' }, 'refused');
  expect(reports).toEqual([
    {
      kind: 'refused',
      refusal: {
        reason: 'InvalidFilter',
        message: expect.stringContaining('podcap.dev/filter="tcp port": '),
      },
    },
  ]);
  recorder.change(specOf(5, { filter: 'tcp port 80' }));
  await until(() => reports.at(-1)?.kind === 'capturing', { what: 'the capture' });
  await recorder.stop('AgentStopped');
});

test.each([
  ['a filter that tcpdump does not compile', { filter: 'tcp port' }, 'InvalidFilter'],
  ['an interface that the Pod does not have', { interfaces: ['net7'] }, 'NoSuchInterface'],
])('%s ends the running capture, whose totals are reported', async (_what, change, reason) => {
  await using testbed = await vethTestbed();
  await using scene = await recordingScene(testbed);
  const { recorder, reports } = await scene.record(5);
  await testbed.sendDatagrams({ count: 10 });
  recorder.change(specOf(5, change));
  await until(() => reports.at(-1)?.kind === 'refused', { what: 'the refusal' });
  expect(await scene.tcpdumps()).toEqual([]);
  recorder.change(specOf(5));
  await until(() => reports.at(-1)?.kind === 'capturing', { what: 'the next capture' });
  await testbed.sendDatagrams({ count: 3 });
  await recorder.stop('AgentStopped');
  expect(reports).toMatchObject([
    { kind: 'capturing', generation: 1 },
    { kind: 'stopped', why: 'Refused', totals: { captured: 10 } },
    { kind: 'refused', refusal: { reason } },
    { kind: 'capturing' },
    { kind: 'stopped', why: 'AgentStopped', totals: { captured: 13 } },
  ]);
});

test('an interface that the Pod does not have is refused by name', async () => {
  await using testbed = await vethTestbed();
  await using scene = await recordingScene(testbed);
  const { recorder, reports } = await scene.record(5, { interfaces: ['net7'] }, 'refused');
  expect(reports[0]).toMatchObject({
    refusal: { reason: 'NoSuchInterface', message: expect.stringContaining('no interface net7') },
  });
  await recorder.stop('AgentStopped');
});

test('the next recorder reports what passed in between, and continues the counts', async () => {
  await using testbed = await vethTestbed();
  await using scene = await recordingScene(testbed);
  const first = await scene.record(5);
  await testbed.sendDatagrams({ count: 10 });
  await first.recorder.stop('AgentStopped');
  await testbed.sendDatagrams({ count: 30 });
  const second = await scene.record(5);
  const missedBefore = { kind: 'gap', packets: 30, isSettled: false };
  expect(second.reports).toMatchObject([{ kind: 'capturing', generation: 2, missedBefore }]);
  await testbed.sendDatagrams({ count: 5 });
  await second.recorder.stop('AgentStopped');
  expect(await readRecord(first.path, 2)).toMatchObject({
    totals: { captured: 5 },
  });
  expect(second.reports.at(-1)).toMatchObject({ kind: 'stopped', totals: { captured: 15, missed: 30 } });
});

test('a recorder that never captures reports what was captured before', async () => {
  await using testbed = await vethTestbed();
  await using scene = await recordingScene(testbed);
  const first = await scene.record(5);
  await testbed.sendDatagrams({ count: 10 });
  await first.recorder.stop('AgentStopped');
  // Its network is another Pod's now.
  await removeCniEntry(scene.entry);
  await writeCniEntry({ ...scene.entry, podUid: 'other' });
  const second = await scene.record(5, {}, 'waiting');
  await second.recorder.stop('AnnotationRemoved');
  expect(second.reports.at(-1)).toMatchObject({ kind: 'stopped', totals: { captured: 10 } });
});

test('a recorder that takes over from one that still captures reports that there was no gap, when it knows', {
  timeout: 60_000,
}, async () => {
  await using testbed = await vethTestbed();
  await using scene = await recordingScene(testbed);
  const first = await scene.record(5);
  await testbed.sendDatagrams({ count: 10 });
  const second = await scene.record(5, {}, 'capturing', 'another agent');
  expect(second.reports).toMatchObject([{ kind: 'capturing', missedBefore: { kind: 'unknown' } }]);
  await testbed.sendDatagrams({ count: 5 });
  await first.recorder.stop('AgentStopped');
  const missedBefore = { kind: 'gap', packets: 0, isSettled: true };
  await until(() => second.reports.length > 1, { what: 'the gap', deadlineMs: 50_000 });
  expect(second.reports.slice(1)).toMatchObject([{ kind: 'capturing', generation: 2, missedBefore }]);
  await second.recorder.stop('AgentStopped');
  // Five of them twice: in both captures.
  const totals = { captured: 20, duplicated: 5, missed: 0 };
  expect(second.reports.at(-1)).toMatchObject({ kind: 'stopped', totals });
});

test('under traffic, everything that is missing between two captures is counted as missed', {
  repeats: 4,
}, async () => {
  await using testbed = await vethTestbed();
  await using scene = await recordingScene(testbed);
  await using sender = await testbed.startDatagrams({ rate: 10_000 });
  const path = await recordFor(scene, 500);
  const before = await scene.numbers(path);
  await recordFor(scene, 500);
  await sender.stop();
  const after = (await scene.numbers(path)).slice(before.length);
  const missing = (after[0] ?? Number.NaN) - (before.at(-1) ?? Number.NaN) - 1;
  const missed = (await readRecord(path, 2))?.totals.missed;
  expect(missed).toBeGreaterThanOrEqual(missing);
  // What was captured before the interface was read is counted as well.
  expect(missed).toBeLessThan(missing + after.length);
});

async function recordFor(scene: Awaited<ReturnType<typeof recordingScene>>, ms: number): Promise<string> {
  const { recorder, path } = await scene.record(100);
  await setTimeout(ms);
  await recorder.stop('AgentStopped');
  return path;
}

test.each([
  { name: 'IPv4 and IPv6 addresses', isDual: true },
  { name: 'an IPv6 address alone', isDual: false },
])('a Pod with $name is captured fully', { repeats: 4 }, async ({ isDual }) => {
  await using testbed = await vethTestbed();
  await using scene = await recordingScene(testbed);
  const to = await addIpv6(testbed);
  if (!isDual) await testbed.exec('pod', ['ip', '-4', 'address', 'flush', 'dev', testbed.podInterface]);
  const { recorder, path } = await scene.record(5);
  const script = `exec 3>/dev/udp/${to}/9; for ((n = 0; n < 200; n++)); do printf seq=$n >&3; done`;
  await testbed.exec('pod', ['bash', '-c', script]);
  if (isDual) await testbed.sendDatagrams({ count: 200, firstNumber: 200 });
  await recorder.stop('AgentStopped');
  expect(await scene.numbers(path)).toEqual(Array.from({ length: isDual ? 400 : 200 }, (_, i) => i));
});

test('tcpdump runs as its own user with only NET_RAW, and cannot gain more', async () => {
  await using testbed = await vethTestbed();
  await using scene = await recordingScene(testbed);
  const { recorder } = await scene.record(5);
  const status = await readFile(`/proc/${await scene.tcpdumpPid()}/status`, 'utf8');
  const netRaw = '0000000000002000';
  for (const set of ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb']) {
    expect(status).toMatch(new RegExp(`^${set}:\\s${netRaw}$`, 'm'));
  }
  expect(status).toMatch(/^Uid:\t10001\t10001\t10001\t10001$/m);
  expect(status).toMatch(/^Gid:\t10001\t10001\t10001\t10001$/m);
  expect(status).toMatch(/^Groups:\s*$/m);
  expect(status).toMatch(/^NoNewPrivs:\t1$/m);
  await recorder.stop('AgentStopped');
});

/** Returns an address that swallows everything without an answer. */
async function addIpv6(testbed: VethTestbed): Promise<string> {
  const sink = '2001:db8::9';
  for (const side of ['pod', 'node'] as const) {
    await testbed.exec(side, ['sysctl', '-qw', 'net.ipv6.conf.all.disable_ipv6=0']);
  }
  const ip = (side: 'pod' | 'node', words: string) => testbed.exec(side, ['ip', ...words.split(' ')]);
  await ip('pod', `address add 2001:db8::2/64 dev ${testbed.podInterface} nodad`);
  await ip('pod', `neighbour add ${sink} lladdr 02:00:00:00:00:01 dev ${testbed.podInterface} nud permanent`);
  await ip('node', `route add blackhole ${sink}/128`);
  return sink;
}
