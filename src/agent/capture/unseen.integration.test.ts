import { expect, test } from 'vitest';
import { until } from '../../base/until.ts';
import { compileTestProgram } from '../../testbed/compile.ts';
import { startPump, startSink } from '../../testbed/tcp-stream.ts';
import { type UnseenWay, type VethTestbed, vethTestbed } from '../../testbed/veth-testbed.ts';
import type { CaptureSpec } from '../planner/annotations.ts';
import { readRecord } from '../storage/capture-records.ts';
import { specOf } from '../testing/fixtures.ts';
import { recordingScene } from '../testing/recording-scene.ts';

// Packets that an interface counts and no packet socket gets (unseen-packets.ts), with a real tcpdump.

test.each<[string, UnseenWay]>([
  ['past the queue', 'qdisc'],
  ['through AF_XDP', 'xdp'],
])('packets that are sent %s are counted as unseen, and no others', async (_what, way) => {
  const { totals, passed } = await recordWhile(async (testbed) => {
    await testbed.sendDatagrams({ count: 100 });
    await testbed.sendUnseen(500, way);
    await testbed.sendDatagrams({ count: 100 });
  });
  expect(passed).toBe(700);
  expect(totals).toMatchObject({ captured: 200, unseen: 500, missed: 0, dropped: 0, lostAtStop: 0 });
  expect(totals.isUnseenPartial).toBeUndefined();
});

test('what was unseen is not missed by the next capture', async () => {
  await using testbed = await vethTestbed();
  await using scene = await recordingScene(testbed);
  const first = await scene.record(3);
  await testbed.sendUnseen(300);
  await first.recorder.stop('AgentStopped');
  const second = await scene.record(3);
  await testbed.sendUnseen(200);
  await second.recorder.stop('AgentStopped');
  expect((await readRecord(first.path, 1))?.totals).toMatchObject({ unseen: 300, missed: 0 });
  expect((await readRecord(first.path, 2))?.totals).toMatchObject({ unseen: 200, missed: 0 });
  expect(second.reports.at(-1)).toMatchObject({ kind: 'stopped', totals: { unseen: 500 } });
});

test('while one capture takes over from another, nothing is counted as unseen twice', async () => {
  await using testbed = await vethTestbed();
  await using scene = await recordingScene(testbed);
  const { recorder, path } = await scene.record(3);
  const isOver = async () => (await readRecord(path, 1))?.endTime !== undefined;
  await testbed.sendUnseen(20);
  recorder.change(specOf(3, { fileMegabytes: 2 }));
  let sent = 20;
  for (; !(await isOver()); sent += 20) await testbed.sendUnseen(20);
  await recorder.stop('AgentStopped');
  const records = await Promise.all([1, 2].map((generation) => readRecord(path, generation)));
  const [first = 0, second = 0] = records.map((record) => record?.totals.unseen);
  expect(first).toBeGreaterThanOrEqual(20);
  expect(first + second).toBeLessThanOrEqual(sent);
});

test.each<[string, number, Send]>([
  ['nothing', 0, async () => {}],
  [
    'UDP at full speed',
    50_000,
    async (testbed) => void (await testbed.sendDatagrams({ count: 50_000, rate: 0 })),
  ],
  ['fragments', 3_500, async (testbed) => void (await testbed.sendDatagrams({ count: 500, bytes: 9_000 }))],
  ['multicast that the sender gets as well', 500, sendMulticast],
  ['TCP with segmentation offload', 30_000, (...on) => streamUntil(30_000, 'stopped', ...on)],
])('of %s, 0 packets are unseen', async (_what, atLeast, send) => {
  const { totals, passed } = await recordWhile(send);
  expect(totals.unseen).toBe(0);
  expect(passed).toBeGreaterThanOrEqual(atLeast);
  expect(totals.captured + totals.dropped + totals.lostAtStop).toBe(passed);
});

test('what the kernel drops is not unseen', async () => {
  await using testbed = await vethTestbed();
  await using scene = await recordingScene(testbed, { bufferKib: 1_024 });
  const { recorder, path } = await scene.record(3);
  const pid = await scene.tcpdumpPid();
  process.kill(pid, 'SIGSTOP');
  await testbed.sendDatagrams({ count: 5_000, rate: 0, bytes: 1_000 });
  process.kill(pid, 'SIGCONT');
  await recorder.stop('AgentStopped');
  const totals = (await readRecord(path, 1))?.totals;
  expect(totals?.dropped).toBeGreaterThan(1_000);
  expect(totals?.unseen).toBe(0);
});

test('a capture that stops in the middle of a TCP stream has 0 unseen packets', async () => {
  const { totals } = await recordWhile((...on) => streamUntil(20_000, 'running', ...on));
  expect(totals.captured).toBeGreaterThan(0);
  expect(totals.unseen).toBe(0);
});

test.each<[string, Partial<CaptureSpec>, (testbed: VethTestbed) => Promise<void>]>([
  ['with a filter', { filter: 'udp' }, async () => {}],
  ['of lo', { interfaces: ['lo'] }, async () => {}],
  ['of a bridge', { interfaces: ['br0'] }, addBridge],
  ['with receive offload', {}, turnReceiveOffloadOn],
])('%s, it is unknown how many packets are unseen', async (_what, spec, prepare) => {
  const { totals } = await recordWhile((testbed) => testbed.sendUnseen(100), { spec, prepare });
  expect(totals.unseen).toBeUndefined();
});

/** What is still sent when it resolves is in `running`. */
type Send = (testbed: VethTestbed, running: AsyncDisposableStack) => Promise<void>;

type RecordOptions = {
  readonly spec?: Partial<CaptureSpec>;
  readonly prepare?: (testbed: VethTestbed) => Promise<void>;
};

/** Records while something is sent; returns the totals, and how many packets passed eth0 from the start on. */
async function recordWhile(send: Send, { spec = {}, prepare = async () => {} }: RecordOptions = {}) {
  await using testbed = await vethTestbed();
  await using running = new AsyncDisposableStack();
  await prepare(testbed);
  await using scene = await recordingScene(testbed);
  const before = await passedPackets(testbed);
  const { recorder, path } = await scene.record(3, spec);
  await send(testbed, running);
  await recorder.stop('AgentStopped');
  const passed = (await passedPackets(testbed)) - before;
  const record = await readRecord(path, 1);
  if (!record) throw new Error('no record');
  return { totals: record.totals, passed };
}

async function passedPackets(testbed: VethTestbed): Promise<number> {
  const { receivedPackets, sentPackets } = await testbed.counters('pod');
  return receivedPackets + sentPackets;
}

/** To the group of all hosts, which every interface is in. */
async function sendMulticast(testbed: VethTestbed): Promise<void> {
  await testbed.exec('pod', ['ip', 'route', 'add', '224.0.0.0/4', 'dev', 'eth0']);
  await testbed.sendDatagrams({ count: 500, to: '224.0.0.1' });
}

async function streamUntil(
  packets: number,
  end: 'stopped' | 'running',
  ...[testbed, running]: Parameters<Send>
): Promise<void> {
  running.use(await startSink((argv) => testbed.command('node', argv), 'tcp'));
  const pump = running.use(await startPump((argv) => testbed.command('pod', argv), testbed.addresses.node));
  await until(async () => (await passedPackets(testbed)) > packets, { what: `${packets} packets` });
  if (end === 'running') return;
  await pump.stop();
  const isClosed = async () => (await tcpStates(testbed)).every((state) => state === timeWait);
  await until(isClosed, { what: 'the end of the stream' });
}

/** As in /proc/net/tcp: TCP_TIME_WAIT. */
const timeWait = '06';

async function tcpStates(testbed: VethTestbed): Promise<string[]> {
  const table = await testbed.exec('pod', ['cat', '/proc/self/net/tcp']);
  return [...table.matchAll(/^ *\d+: \S+ \S+ (\w\w) /gm)].map(([, state = '']) => state);
}

async function addBridge(testbed: VethTestbed): Promise<void> {
  for (const command of ['ip link add br0 type bridge', 'ip link set br0 up'])
    await testbed.exec('pod', ['sh', '-c', command]);
}

async function turnReceiveOffloadOn(testbed: VethTestbed): Promise<void> {
  await testbed.exec('pod', [await compileTestProgram('set-gro'), 'eth0', 'on']);
}
