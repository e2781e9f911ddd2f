import fc from 'fast-check';
import { pino } from 'pino';
import { describe, expect, test } from 'vitest';
import { noTotals } from '../storage/capture-records.ts';
import { specOf } from '../testing/fixtures.ts';
import type { CaptureStatus } from './capture-status.ts';
import { lossEveryMs, progressEveryMs, progressReports, reportedAfter } from './progress-reports.ts';
import type { MissedBefore } from './recording-report.ts';

const pod = { namespace: 'default', name: 'web', uid: 'uid-1' };
const minuteMs = 60_000;

test('a loss is reported with its numbers, and then at most every ten minutes', async () => {
  const scene = reportsScene();
  scene.starts({ kind: 'first', packets: 8 });
  await scene.passes(1, { missed: 8 });
  expect(scene.events).toEqual([]);
  for (let minute = 0; minute < 12; minute += 1) await scene.passes(1, { missed: 8, dropped: 100 + minute });
  expect(scene.events).toEqual([
    expect.stringMatching(/^Warning PacketsLost: .*: 100 dropped by the kernel \(1100 in all\)/),
    expect.stringMatching(/^Warning PacketsLost: .*: 10 dropped by the kernel \(1110 in all\)/),
  ]);
});

test('a loss that does not grow is reported once', async () => {
  const scene = reportsScene();
  scene.starts({ kind: 'first', packets: 0 });
  for (let minute = 0; minute < 40; minute += 1) await scene.passes(1, { lostAtStop: 3 });
  expect(scene.events).toEqual([expect.stringContaining('3 lost at stop (1003 in all)')]);
});

test('what passed between two captures is a loss, and what passed before the first one is not', async () => {
  const scene = reportsScene();
  scene.starts({ kind: 'first', packets: 8 });
  await scene.passes(1, { missed: 8 });
  scene.starts({ kind: 'gap', packets: 5, isSettled: false });
  await scene.passes(1, { missed: 13 });
  // A new sandbox.
  scene.starts({ kind: 'first', packets: 9 });
  await scene.passes(20, { missed: 22 });
  expect(scene.events).toEqual([expect.stringContaining('at most 5 missed (1013 in all)')]);
});

test('a start that is reported again, with another number of files, hides no loss', async () => {
  const scene = reportsScene();
  const start = {
    kind: 'capturing',
    generation: 1,
    missedBefore: { kind: 'first', packets: 20_000 },
  } as const;
  for (const files of [1, 2, 3]) scene.says({ ...start, spec: specOf(files) });
  await scene.passes(1, { missed: 20_005 });
  expect(scene.events).toEqual([expect.stringContaining('at most 5 missed')]);
});

describe('of several interfaces', () => {
  const capturing = (generation: number, missedBefore: MissedBefore): CaptureStatus => {
    return { kind: 'capturing', generation, missedBefore, spec: specOf(1) };
  };

  test('what passed one that was not captured before is no loss, and what another one missed is', async () => {
    const scene = reportsScene();
    scene.says(capturing(2, { kind: 'gap', packets: 5, isSettled: false, firstPackets: 9 }));
    await scene.passes(1, { missed: 14 });
    expect(scene.events).toEqual([expect.stringContaining('at most 5 missed')]);
  });

  test('... also when that is known only later', async () => {
    const scene = reportsScene();
    scene.says(capturing(2, { kind: 'unknown' }));
    scene.says(capturing(2, { kind: 'gap', packets: 5, isSettled: true, firstPackets: 9 }));
    await scene.passes(1, { missed: 14 });
    expect(scene.events).toEqual([expect.stringContaining('at most 5 missed')]);
  });

  test('one that is captured no more hides no loss of the others', async () => {
    const scene = reportsScene();
    scene.says(capturing(2, { kind: 'first', packets: 7 }));
    scene.says(capturing(1, { kind: 'first', packets: 3 }));
    await scene.passes(1, { missed: 9 });
    expect(scene.events).toEqual([expect.stringContaining('at most 2 missed')]);
  });

  test('packets that are lost while one of them is down are reported', async () => {
    const scene = reportsScene();
    scene.starts({ kind: 'first', packets: 0 });
    scene.says({ kind: 'interfaceDown', generation: 1, interface: 'net1' });
    for (let minute = 0; minute < 60; minute += 1) await scene.passes(1, { dropped: 7 });
    expect(scene.events).toEqual([expect.stringContaining('7 dropped by the kernel')]);
  });
});

test('a healthy capture has a new Event with its numbers before the last one expires', async () => {
  const scene = reportsScene();
  scene.starts({ kind: 'first', packets: 0 });
  for (let minute = 0; minute < 100; minute += 1) await scene.passes(1, { captured: minute });
  expect(scene.events).toEqual([
    expect.stringMatching(/^Normal Capturing: .*captured: 1044, dropped by kernel: 1000/),
    expect.stringMatching(/^Normal Capturing: .*captured: 1089, dropped by kernel: 1000/),
  ]);
});

test.each<CaptureStatus>([
  { kind: 'waiting' },
  { kind: 'failed', message: 'ended by SIGKILL' },
  { kind: 'stopped', why: 'PodEnded', totals: noTotals },
])('a capture that is $kind has none', async (status) => {
  const scene = reportsScene();
  scene.starts({ kind: 'first', packets: 0 });
  scene.says(status);
  for (let minute = 0; minute < 60; minute += 1) await scene.passes(1, { dropped: minute });
  expect(scene.events).toEqual([]);
});

test.each<CaptureStatus>([
  { kind: 'waiting' },
  { kind: 'failed', message: 'ended by SIGKILL' },
  { kind: 'refused', refusal: { reason: 'HostNetwork', message: 'because' } },
])('nothing is kept of a Pod that is $kind and was never captured', (status) => {
  expect(reportedAfter(undefined, status, 0)).toBeUndefined();
});

test('however a capture loses packets, its Events are never too many, never too late, and add up to the loss', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat({ max: 3 }), { minLength: 1, maxLength: 200 }), async (losses) => {
      const scene = reportsScene();
      scene.starts({ kind: 'first', packets: 0 });
      let dropped = 0;
      for (const loss of losses) await scene.passes(1, { dropped: (dropped += loss) });
      const lossTimes = scene.times('PacketsLost');
      for (const [at, time] of lossTimes.entries())
        expect(time - (lossTimes[at - 1] ?? Number.NEGATIVE_INFINITY)).toBeGreaterThanOrEqual(lossEveryMs);
      const times = [0, ...scene.times(''), losses.length * minuteMs];
      for (const [at, time] of times.slice(1).entries())
        expect(time - (times[at] ?? 0)).toBeLessThanOrEqual(progressEveryMs);
      // What was lost before is reported when nothing more is, too.
      await scene.passes(lossEveryMs / minuteMs, { dropped });
      const reported = scene.events.map((event) => Number(/ ([0-9]+) dropped by/.exec(event)?.[1] ?? 0));
      expect(reported.reduce((sum, each) => sum + each, 0)).toBe(dropped);
    }),
  );
});

/** One capture, of which earlier agents have counted 1,000 of everything, and a clock. */
function reportsScene() {
  const events: { readonly text: string; readonly ms: number }[] = [];
  let ms = 0;
  let status: CaptureStatus = { kind: 'waiting' };
  let totals = noTotals;
  let generation = 0;
  const earlier = { captured: 1_000, dropped: 1_000, lostAtStop: 1_000, missed: 1_000 };
  const reports = progressReports({
    nodeName: 'node1',
    record({ type, reason, message }) {
      events.push({ text: `${type} ${reason}: ${message}`, ms });
    },
    totalsOf: async () => ({
      ...totals,
      captured: totals.captured + earlier.captured,
      dropped: totals.dropped + earlier.dropped,
      lostAtStop: totals.lostAtStop + earlier.lostAtStop,
      missed: totals.missed + earlier.missed,
    }),
    nowMs: () => ms,
    log: pino({ level: 'silent' }),
  });
  const says = (next: CaptureStatus) => {
    status = next;
    reports.onStatus(pod, next);
  };
  return {
    get events() {
      return events.map(({ text }) => text);
    },
    times: (reason: string) => events.filter(({ text }) => text.includes(reason)).map((event) => event.ms),
    says,
    starts: (missedBefore: MissedBefore) =>
      says({ kind: 'capturing', generation: (generation += 1), spec: specOf(1), missedBefore }),
    /** That many minutes later, this much is counted. */
    async passes(minutes: number, counted: Partial<typeof noTotals>) {
      ms += minutes * minuteMs;
      totals = { ...noTotals, ...counted };
      await reports.report([{ pod, status, totals, isStalled: false }]);
    },
  };
}
