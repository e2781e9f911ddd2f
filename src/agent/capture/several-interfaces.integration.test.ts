import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { until } from '../../base/until.ts';
import { type VethTestbed, vethTestbed } from '../../testbed/veth-testbed.ts';
import type { CaptureReport } from '../observability/capture-status.ts';
import { readRecord, readRecords } from '../storage/capture-records.ts';
import { findRecordings } from '../storage/recordings.ts';
import { specOf } from '../testing/fixtures.ts';
import { recordingScene } from '../testing/recording-scene.ts';

const both = { interfaces: ['eth0', 'lo'] };
const loopback = '127.0.0.1';

test('each interface is captured into files of its own, and reported once both are', async () => {
  await using testbed = await vethTestbed();
  await using scene = await recordingScene(testbed);
  await testbed.sendDatagrams({ count: 3 });
  await sendOnLo(testbed, 0, 4);
  const { recorder, reports, path } = await scene.record(3, both);
  await testbed.sendDatagrams({ count: 10 });
  await sendOnLo(testbed, 100, 20);
  await recorder.stop('AgentStopped');
  const records = await readRecords(path);
  const generationOf = (name: string) => records.find((record) => record.interface === name)?.generation;
  expect(await scene.numbers(path, generationOf('eth0'))).toEqual(range(0, 10));
  expect(await scene.numbers(path, generationOf('lo'))).toEqual(range(100, 20));
  expect(kindsOf(reports)).toEqual(['capturing', 'stopped']);
  expect(reports[0]).toMatchObject({
    spec: both,
    missedBefore: { kind: 'first', packets: 3 + 2 * 4 },
    starts: [
      { interface: 'eth0', missedBefore: { kind: 'first', packets: 3 } },
      { interface: 'lo', missedBefore: { kind: 'first', packets: 8 } },
    ],
  });
  expect(reports[1]).toMatchObject({
    totals: { captured: 10 + 2 * 20, dropped: 0, lostAtStop: 0, missed: 11 },
  });
});

test('an interface that is added or removed leaves the tcpdump of the other one alone', async () => {
  await using testbed = await vethTestbed();
  await using scene = await recordingScene(testbed);
  const { recorder, reports, path } = await scene.record(3);
  const [first] = await scene.tcpdumps();
  await using sending = await testbed.startDatagrams({ rate: 1_000 });
  recorder.change(specOf(3, both));
  await until(() => reports.length > 1, { what: 'both captures' });
  await sendOnLo(testbed, 0, 5);
  recorder.change(specOf(3));
  await until(async () => (await scene.tcpdumps()).length === 1, { what: 'the end of the second tcpdump' });
  expect(await scene.tcpdumps()).toEqual([first]);
  const { sent } = await sending.stop();
  await recorder.stop('AgentStopped');
  expect(reports).toMatchObject([
    { kind: 'capturing', generation: 1, spec: { interfaces: ['eth0'] } },
    { kind: 'capturing', generation: 2, spec: both },
    { kind: 'capturing', generation: 1, spec: { interfaces: ['eth0'] } },
    { kind: 'stopped' },
  ]);
  expect(await scene.numbers(path, 1)).toEqual(range(0, sent));
  expect(await scene.numbers(path, 2)).toEqual(range(0, 5));
});

test('interfaces that are asked for instead of others are captured by two tcpdumps each at most', async () => {
  await using testbed = await vethTestbed();
  await testbed.exec('pod', ['ip', 'link', 'add', 'net1', 'type', 'veth', 'peer', 'name', 'net2']);
  await using scene = await recordingScene(testbed);
  const { recorder } = await scene.record(3, both);
  let most = 0;
  const captured = async () => {
    const names = await Promise.all((await scene.tcpdumps()).map(interfaceOf));
    most = Math.max(most, names.length);
    return names
      .flatMap((name) => name ?? [])
      .toSorted((a, b) => a.localeCompare(b))
      .join();
  };
  const requests = ['net1,net2', 'eth0,net1', 'lo,net2', 'net1,lo', 'net2,eth0'];
  for (const request of Array.from({ length: 5 }, () => requests).flat()) {
    recorder.change(specOf(3, { interfaces: request.split(','), snaplen: request.length * 16 }));
    await captured();
  }
  recorder.change(specOf(3, both));
  await until(async () => (await captured()) === 'eth0,lo', { what: 'the captures of eth0 and lo' });
  expect(most).toBeLessThanOrEqual(4);
  await recorder.stop('AgentStopped');
});

test('a changed filter replaces both tcpdumps without a gap', async () => {
  await using testbed = await vethTestbed();
  await using scene = await recordingScene(testbed);
  const { recorder, reports, path } = await scene.record(3, both);
  await using sending = await testbed.startDatagrams({ rate: 500 });
  await using onLo = await testbed.startDatagrams({ rate: 500, to: loopback });
  recorder.change(specOf(3, { ...both, filter: 'udp' }));
  await until(() => reports.length > 1, { what: 'the next captures' });
  await until(async () => (await scene.tcpdumps()).length === 2, { what: 'the end of the first tcpdumps' });
  const [{ sent }, { sent: sentOnLo }] = await Promise.all([sending.stop(), onLo.stop()]);
  await recorder.stop('AgentStopped');
  expect(reports.slice(1)).toMatchObject([
    { kind: 'capturing', spec: { filter: 'udp' }, missedBefore: { kind: 'gap', packets: 0 } },
    { kind: 'stopped' },
  ]);
  const records = await readRecords(path);
  const numbersOn = async (name: string) => {
    const ofInterface = records.filter((record) => record.interface === name);
    const numbers = await Promise.all(ofInterface.map(({ generation }) => scene.numbers(path, generation)));
    return [...new Set(numbers.flat())].toSorted((a, b) => a - b);
  };
  expect(await numbersOn('eth0')).toEqual(range(0, sent));
  expect(await numbersOn('lo')).toEqual(range(0, sentOnLo));
});

test('an interface that is missing is refused alone, and captured once it appears', {
  timeout: 60_000,
}, async () => {
  await using testbed = await vethTestbed();
  await using scene = await recordingScene(testbed);
  const { recorder, reports, path } = await scene.record(3, { interfaces: ['net1', 'eth0'] });
  expect(reports).toMatchObject([
    {
      kind: 'capturing',
      spec: { interfaces: ['eth0'] },
      refused: [
        {
          interface: 'net1',
          refusal: {
            reason: 'NoSuchInterface',
            message: 'the Pod has no interface net1; the agent checks again every 30 s',
          },
        },
      ],
    },
  ]);
  await testbed.sendDatagrams({ count: 5 });
  await testbed.exec('pod', ['ip', 'link', 'add', 'net1', 'up', 'type', 'veth', 'peer', 'name', 'net2']);
  await until(() => reports.length > 1, { what: 'the capture of net1', deadlineMs: 40_000 });
  await testbed.sendDatagrams({ count: 5, firstNumber: 5 });
  await recorder.stop('AgentStopped');
  expect(reports[1]).toMatchObject({ kind: 'capturing', spec: { interfaces: ['net1', 'eth0'] } });
  expect(reports[1]).not.toHaveProperty('refused');
  expect(kindsOf(reports)).toEqual(['capturing', 'capturing', 'stopped']);
  const records = await readRecords(path);
  const ofEth0 = records.filter((record) => record.interface === 'eth0');
  expect(ofEth0).toHaveLength(1);
  expect(await scene.numbers(path, ofEth0[0]?.generation)).toEqual(range(0, 10));
});

test('a Pod that has none of the interfaces is refused', async () => {
  await using testbed = await vethTestbed();
  await using scene = await recordingScene(testbed);
  const { recorder, reports } = await scene.record(3, { interfaces: ['net1', 'net2'] }, 'refused');
  await recorder.stop('AgentStopped');
  const message =
    'the Pod has no interface net1; the agent checks again every 30 s; the Pod has no interface net2; the agent checks again every 30 s';
  expect(reports).toEqual([{ kind: 'refused', refusal: { reason: 'NoSuchInterface', message } }]);
});

test('a tcpdump that is killed starts again, and that of the other interface goes on', async () => {
  await using testbed = await vethTestbed();
  await using scene = await recordingScene(testbed);
  const { recorder, reports, path } = await scene.record(3, both);
  const pids = await scene.tcpdumps();
  const names = await Promise.all(pids.map(interfaceOf));
  const [eth0, lo] = ['eth0', 'lo'].map((name) => pids[names.indexOf(name)] ?? 0);
  process.kill(lo ?? 0, 'SIGKILL');
  await until(() => kindsOf(reports).join() === 'capturing,failed,capturing', { what: 'the next capture' });
  await testbed.sendDatagrams({ count: 10 });
  await sendOnLo(testbed, 0, 10);
  expect(await scene.tcpdumps()).toContain(eth0);
  expect(await scene.tcpdumps()).toHaveLength(2);
  await recorder.stop('AgentStopped');
  expect(reports[1]).toMatchObject({ kind: 'failed', message: 'lo: ended by SIGKILL' });
  const [before, , after] = reports;
  const startsIn = (report: CaptureReport | undefined) =>
    report?.kind === 'capturing' ? (report.starts ?? []) : [];
  expect(startsIn(after)[0]).toEqual(startsIn(before)[0]);
  expect(startsIn(after)[1]).toMatchObject({ generation: 3, missedBefore: { kind: 'gap' } });
  expect(await scene.numbers(path, 3)).toEqual(range(0, 10));
});

test('when one of two interfaces is down, that is reported, and the other one is captured', async () => {
  await using testbed = await vethTestbed();
  await using scene = await recordingScene(testbed);
  const { recorder, reports, path } = await scene.record(3, { interfaces: ['lo', 'eth0'] });
  await testbed.setInterface('down');
  await until(() => reports.length > 1, { what: 'the report that eth0 is down' });
  await sendOnLo(testbed, 0, 10);
  await testbed.setInterface('up');
  await until(() => reports.length > 2, { what: 'the report that it is up' });
  await testbed.sendDatagrams({ count: 5 });
  await recorder.stop('AgentStopped');
  expect(reports).toMatchObject([
    { kind: 'capturing' },
    { kind: 'interfaceDown', interface: 'eth0' },
    { kind: 'capturing', spec: { interfaces: ['lo', 'eth0'] } },
    { kind: 'stopped' },
  ]);
  const eth0 = (await readRecords(path)).find((record) => record.interface === 'eth0');
  expect(await scene.numbers(path, eth0?.generation)).toEqual(range(0, 5));
});

test('each ring keeps its N files, however busy the other one is', async () => {
  await using testbed = await vethTestbed();
  await using scene = await recordingScene(testbed);
  const { recorder, path } = await scene.record(2, both);
  await sendOnLo(testbed, 0, 50);
  // 1,000-byte datagrams: about 930 fill a file.
  await testbed.sendDatagrams({ count: 6_000, rate: 20_000, bytes: 1_000 });
  await recorder.stop('AgentStopped');
  const records = await readRecords(path);
  const generationOf = (name: string) => records.find((record) => record.interface === name)?.generation ?? 0;
  expect(await scene.numbers(path, generationOf('lo'))).toEqual(range(0, 50));
  expect((await readRecord(path, generationOf('lo')))?.totals.pruned).toBe(0);
  const numbers = await scene.numbers(path, generationOf('eth0'));
  expect(numbers.at(-1)).toBe(5_999);
  expect(numbers.length).toBeLessThan(2 * 1_000);
  const { totals } = (await readRecord(path, generationOf('eth0'))) ?? {};
  expect((totals?.pruned ?? 0) + numbers.length).toBe(6_000);
  const [recording] = await findRecordings(`${path}/..`);
  expect(recording?.generations.flatMap(({ files }) => files)).toHaveLength(2 + 1);
});

test('what a rule redirects to a proxy in the Pod is on lo, as in a service mesh', async () => {
  await using testbed = await vethTestbed();
  await using scene = await recordingScene(testbed);
  const rule = 'udp dport 9 redirect to :15001';
  const chain = `chain output { type nat hook output priority -100; ${rule}; }`;
  await testbed.exec('pod', ['nft', `table ip mesh { ${chain}; }`]);
  const { recorder, path } = await scene.record(3, both);
  await testbed.sendDatagrams({ count: 20 });
  await testbed.sendDatagrams({ count: 20, firstNumber: 100, port: 10 });
  await recorder.stop('AgentStopped');
  const numbersOn = async (name: string) => {
    const record = (await readRecords(path)).find((each) => each.interface === name);
    return await scene.numbers(path, record?.generation);
  };
  expect(await numbersOn('lo')).toEqual(range(0, 20));
  expect(await numbersOn('eth0')).toEqual(range(100, 20));
});

test('the time that two interfaces are captured counts once', async () => {
  await using testbed = await vethTestbed();
  await using scene = await recordingScene(testbed);
  const startedMs = performance.now();
  const { recorder, path } = await scene.record(2, both);
  await testbed.sendDatagrams({ count: 500, rate: 500 });
  const captured = recorder.capturedMs();
  await recorder.stop('AgentStopped');
  const elapsedMs = performance.now() - startedMs;
  expect(captured).toBeGreaterThan(900);
  expect(captured).toBeLessThan(elapsedMs);
  const stopped = await readRecords(path);
  expect(stopped.map(({ totals }) => totals.capturedMs).reduce((a, b) => a + b)).toBeGreaterThan(1_800);
  expect(await scene.capturedMs()).toBeLessThan(elapsedMs);
});

/** Nobody listens: each datagram is answered with a packet, that its port is unreachable. */
async function sendOnLo(testbed: VethTestbed, firstNumber: number, count: number): Promise<void> {
  await testbed.sendDatagrams({ to: loopback, firstNumber, count });
}

function kindsOf(reports: readonly CaptureReport[]): string[] {
  return reports.map(({ kind }) => kind);
}

function range(from: number, count: number): number[] {
  return Array.from({ length: count }, (_, index) => from + index);
}

/** What that tcpdump was started with; undefined if it is gone. */
async function interfaceOf(pid: number): Promise<string | undefined> {
  const argv = (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).split('\0');
  return argv[argv.indexOf('-i') + 1];
}
