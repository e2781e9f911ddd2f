import { expect, test } from 'vitest';
import { until } from '../../base/until.ts';
import { type VethTestbed, vethTestbed } from '../../testbed/veth-testbed.ts';
import type { CaptureReport } from '../observability/capture-status.ts';
import { expectAllCounted } from '../testing/expect-all-counted.ts';
import { recordingScene } from '../testing/recording-scene.ts';

// Each fault strikes while numbered datagrams are being sent.
const sending = { rate: 5_000 };
const times = (count: number) => Array.from({ length: count }, (_, index) => index + 1);

test.each(times(20))(
  'after a tcpdump is killed, that is reported, and the Pod is captured again (%i)',
  async () => {
    const { reports, failures } = await strike(async (scene) => {
      process.kill(await scene.tcpdumpPid(), 'SIGKILL');
    });
    expect(failures).toEqual(['ended by SIGKILL']);
    expect(reports.map(({ kind }) => kind)).toEqual(['capturing', 'failed', 'capturing', 'stopped']);
  },
);

test.each(times(5))(
  'a tcpdump that is stopped is reported and killed, and the Pod is captured again (%i)',
  async () => {
    const { failures, counts } = await strike(async (scene) => {
      process.kill(await scene.tcpdumpPid(), 'SIGSTOP');
    });
    expect(failures).toEqual(['tcpdump does not answer any more']);
    expect(counts.some(({ isStalled }) => isStalled)).toBe(true);
    expect(counts.at(-1)?.isStalled).toBe(false);
  },
);

test.each(times(5))(
  'a stopped tcpdump is killed at the end, and what it has written is counted (%i)',
  async () => {
    await using testbed = await vethTestbed();
    await using scene = await recordingScene(testbed);
    const { recorder, reports, path } = await scene.record(100);
    await testbed.sendDatagrams({ count: 1_000 });
    await until(async () => (await scene.numbers(path)).length === 1_000, { what: '1,000 datagrams' });
    process.kill(await scene.tcpdumpPid(), 'SIGSTOP');
    await recorder.stop('AgentStopped');
    expect(reports.at(-1)).toMatchObject({ totals: { captured: 1_000, missed: 0 } });
    // What passes from now on is missed by the next capture.
    await testbed.sendDatagrams({ count: 10 });
    const next = await scene.record(100);
    expect(next.reports).toMatchObject([{ kind: 'capturing', missedBefore: { packets: 10 } }]);
    await next.recorder.stop('AgentStopped');
  },
);

test.each(times(5))(
  'an interface that is set down is reported, and nothing is lost when it is up again (%i)',
  async () => {
    await using testbed = await vethTestbed();
    await using scene = await recordingScene(testbed);
    const { recorder, reports, path } = await scene.record(100);
    await testbed.sendDatagrams({ count: 1_000 });
    await testbed.setInterface('down');
    await until(() => reports.at(-1)?.kind === 'interfaceDown', { what: 'the Event that it is down' });
    await testbed.setInterface('up');
    await until(() => reports.at(-1)?.kind === 'capturing', { what: 'the Event that it is up' });
    await testbed.sendDatagrams({ count: 1_000, firstNumber: 1_000 });
    await recorder.stop('AgentStopped');
    const numbers = await scene.numbers(path);
    expect(numbers).toEqual(Array.from({ length: 2_000 }, (_, number) => number));
    expect(expectAllCounted({ reports, sent: 2_000, numbers })).toBe(0);
  },
);

test.each(times(5))(
  'every datagram that passed an interface before it was deleted is in a file (%i)',
  async () => {
    await using testbed = await vethTestbed();
    await using scene = await recordingScene(testbed);
    const { recorder, reports, path } = await scene.record(100);
    await using witness = await testbed.watchDatagrams();
    await using sender = await testbed.startDatagrams(sending);
    await untilSent(testbed, 2_000);
    await testbed.deleteInterface();
    await sender.ended;
    const passed = await witness.ended;
    await until(async () => (await scene.tcpdumps()).length === 0, { what: 'no tcpdump' });
    await until(() => reports.at(-1)?.kind === 'failed', { what: 'the failure', deadlineMs: 60_000 });
    await recorder.stop('AgentStopped');
    const numbers = await scene.numbers(path);
    expect(numbers).toEqual(passed);
    expect(expectAllCounted({ reports, sent: passed.length, numbers })).toBe(0);
  },
);

type Scene = Awaited<ReturnType<typeof recordingScene>>;

/** Applies a fault that a second capture follows. Returns what was reported. */
async function strike(fault: (scene: Scene) => Promise<void>) {
  await using testbed = await vethTestbed();
  await using scene = await recordingScene(testbed);
  const { recorder, reports, counts, path } = await scene.record(100);
  await using sender = await testbed.startDatagrams(sending);
  await untilSent(testbed, 1_000);
  await fault(scene);
  await until(() => captures(reports) === 2, { what: 'the second capture', deadlineMs: 90_000 });
  const { sentPackets } = await testbed.counters('pod');
  await untilSent(testbed, sentPackets + 1_000);
  const { sent } = await sender.stop();
  await recorder.stop('AgentStopped');
  expectAllCounted({ reports, sent, numbers: await scene.numbers(path) });
  expect(await scene.tcpdumps()).toEqual([]);
  const failures = reports.flatMap((report) => (report.kind === 'failed' ? [report.message] : []));
  return { reports, counts, failures };
}

function captures(reports: readonly CaptureReport[]): number {
  return reports.filter(({ kind }) => kind === 'capturing').length;
}

async function untilSent(testbed: VethTestbed, packets: number): Promise<void> {
  await until(async () => (await testbed.counters('pod')).sentPackets >= packets, {
    what: `${packets} packets sent`,
    deadlineMs: 60_000,
  });
}
