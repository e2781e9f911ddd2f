import { describe, expect, test } from 'vitest';
import { noTotals } from '../storage/capture-records.ts';
import { specOf } from '../testing/fixtures.ts';
import { type CaptureReport, type CaptureStatus, captureStatuses } from './capture-status.ts';
import { capturingReport } from './capturing-report.ts';
import type { MissedBefore } from './recording-report.ts';

const pod = { namespace: 'default', name: 'web', uid: 'uid-1' };

test('reports each change to every listener in order, and an equal status only once', () => {
  const reported: string[] = [];
  const status = captureStatuses([
    (_pod, { kind }) => reported.push(`first ${kind}`),
    (_pod, { kind }) => reported.push(`second ${kind}`),
  ]);
  status.report(pod, { kind: 'waiting' });
  status.report(pod, { kind: 'waiting' });
  status.report(pod, { kind: 'failed', message: 'a' });
  status.report(pod, { kind: 'failed', message: 'a' });
  status.report(pod, { kind: 'failed', message: 'b' });
  expect(reported).toEqual(
    ['waiting', 'failed', 'failed'].flatMap((kind) => [`first ${kind}`, `second ${kind}`]),
  );
  expect(status.of('uid-1')).toEqual({ kind: 'failed', message: 'b' });
  // Equal statuses still count.
  expect(status.counts()).toEqual({ starts: 0, failures: 3, freezes: 0, notFrozen: 0 });
});

test('reports an interface that is up again', () => {
  const reported: string[] = [];
  const status = captureStatuses([(_pod, { kind }) => reported.push(kind)]);
  const started = capturing(1);
  status.report(pod, started);
  const down = { kind: 'interfaceDown', generation: 1, interface: 'eth0' } as const;
  status.report(pod, down);
  status.renew();
  status.report(pod, started);
  expect(reported).toEqual(['capturing', 'interfaceDown', 'interfaceDown', 'capturing']);
});

test('counts each tcpdump that captures, whatever is reported of it', () => {
  const status = captureStatuses([]);
  status.started();
  status.started();
  status.report(pod, capturing(2));
  expect(status.counts()).toEqual({ starts: 2, failures: 0, freezes: 0, notFrozen: 0 });
});

test('reports a gap that is known only later, as the same start of the same capture', () => {
  const reported: unknown[] = [];
  const status = captureStatuses([
    (_pod, each) => reported.push('missedBefore' in each && each.missedBefore),
  ]);
  const settled = { kind: 'gap', packets: 7, isSettled: true } as const;
  status.report(pod, { ...capturing(2), missedBefore: { kind: 'unknown' } });
  status.report(pod, { ...capturing(2), missedBefore: settled });
  expect(reported).toEqual([{ kind: 'unknown' }, settled]);
});

test('a capture whose gap is known captures again after a problem, and is not counted as another start', () => {
  const reported: unknown[] = [];
  const status = captureStatuses([
    (_pod, each) => reported.push('missedBefore' in each ? each.missedBefore : each.kind),
  ]);
  const goingOn = { ...capturing(2), missedBefore: { kind: 'gap', packets: 0, isSettled: true } } as const;
  status.report(pod, { ...capturing(2), missedBefore: { kind: 'unknown' } });
  status.report(pod, goingOn);
  // A tcpdump that was to replace it.
  status.report(pod, { kind: 'failed', message: 'ended by SIGKILL' });
  status.report(pod, goingOn);
  expect(status.of(pod.uid)).toEqual(goingOn);
  expect(status.counts().failures).toBe(1);
  // An Event of its own: a correction would leave the failure the last word.
  const { missedBefore } = goingOn;
  expect(reported).toEqual([
    { kind: 'unknown' },
    missedBefore,
    'failed',
    { ...missedBefore, isSettled: false },
  ]);
});

test('corrects the start whose gap became known while its interface was down, before it captures again', () => {
  const reported: unknown[] = [];
  const status = captureStatuses([
    (_pod, each) => reported.push('missedBefore' in each ? each.missedBefore : each.kind),
  ]);
  const down = { kind: 'interfaceDown', generation: 2, interface: 'eth0' } as const;
  const settled = { kind: 'gap', packets: 7, isSettled: true } as const;
  status.report(pod, { ...capturing(2), missedBefore: { kind: 'unknown' } });
  status.report(pod, down);
  status.report(pod, { ...capturing(2), missedBefore: settled });
  const again = { ...settled, isSettled: false };
  expect(reported).toEqual([{ kind: 'unknown' }, 'interfaceDown', settled, again]);
  // Once: what follows is news.
  status.report(pod, down);
  status.report(pod, { ...capturing(2), missedBefore: settled });
  expect(reported.slice(4)).toEqual(['interfaceDown', again]);
});

test('passes each warning on, which changes neither the status nor its renewal', () => {
  const reported: string[] = [];
  const status = captureStatuses([(_pod, { kind }) => reported.push(kind)]);
  const warning = { kind: 'warning', generation: 1, message: 'no address' } as const;
  status.report(pod, warning);
  expect(status.all()).toEqual([]);
  status.report(pod, capturing(1));
  status.report(pod, warning);
  status.report(pod, capturing(1));
  status.renew();
  expect(reported).toEqual(['warning', 'capturing', 'warning']);
  expect(status.of('uid-1')).toEqual(capturing(1));
});

test('reports again what was forgotten', () => {
  const reported: string[] = [];
  const status = captureStatuses([({ uid }) => reported.push(uid)]);
  status.report(pod, { kind: 'waiting' });
  status.forget('uid-1');
  expect(status.of('uid-1')).toBeUndefined();
  status.report(pod, { kind: 'waiting' });
  status.report({ ...pod, uid: 'uid-2' }, { kind: 'waiting' });
  expect(reported).toEqual(['uid-1', 'uid-1', 'uid-2']);
});

test('keeps what a recording counted in the sum after it has ended, and adds the next one', () => {
  const status = captureStatuses([]);
  const counted = (captured: number) => ({ totals: { ...noTotals, captured }, isStalled: false });
  status.report(pod, capturing(1));
  status.count(pod, counted(10));
  status.count(pod, counted(25));
  expect(status.totals().captured).toBe(25);
  // What earlier agents counted is not in the agent's own sum.
  status.report(pod, { kind: 'stopped', why: 'PodEnded', totals: counted(1_025).totals });
  expect(status.totals().captured).toBe(25);
  status.report(pod, capturing(2));
  status.count(pod, counted(5));
  status.count({ ...pod, uid: 'uid-2' }, counted(100));
  expect(status.totals().captured).toBe(130);
});

test('renews the reports of problems that persist, and no others', () => {
  const reported: string[] = [];
  const status = captureStatuses([({ uid }, { kind }) => reported.push(`${uid} ${kind}`)]);
  status.report(pod, { kind: 'refused', refusal: { reason: 'HostNetwork', message: '' } });
  status.report({ ...pod, uid: 'uid-2' }, capturing(1));
  status.report({ ...pod, uid: 'uid-3' }, { kind: 'waiting' });
  status.report({ ...pod, uid: 'uid-4' }, { kind: 'waiting', problem: 'no entry' });
  reported.splice(0);
  status.renew();
  expect(reported).toEqual(['uid-1 refused', 'uid-4 waiting']);
});

describe('of several interfaces', () => {
  const first = (packets: number): MissedBefore => ({ kind: 'first', packets });
  const gap = (packets: number, isSettled = false): MissedBefore => ({ kind: 'gap', packets, isSettled });
  const unknown: MissedBefore = { kind: 'unknown' };

  /** eth0 and lo, each with its generation and what was missed before it. */
  function both(eth0: [number, MissedBefore], lo: [number, MissedBefore], refused = false): CaptureStatus {
    const starts = [eth0, lo].map(([generation, missedBefore], at) => {
      return { interface: at === 0 ? 'eth0' : 'lo', generation, missedBefore, isOtherInterface: false };
    });
    const refusal = { reason: 'NoSuchInterface', message: 'none' } as const;
    const spec = specOf(1, { interfaces: ['eth0', 'lo'] });
    return capturingReport(spec, starts, refused ? [{ interface: 'net1', refusal }] : []);
  }

  /** What is told of each report: its newest generation, and what was missed before. */
  function toldOf(...reports: CaptureStatus[]): string[] {
    const told: string[] = [];
    const status = captureStatuses([
      (_pod, report) => told.push('missedBefore' in report ? textOf(report) : report.kind),
    ]);
    for (const report of reports) status.report(pod, report);
    return told;
  }

  function textOf({ generation, missedBefore }: CaptureReport & { readonly kind: 'capturing' }): string {
    return `${generation} ${Object.values(missedBefore).join(' ')}`;
  }

  test('all are told of at first, and then what is new', () => {
    expect(
      toldOf(
        both([1, first(3)], [2, first(4)]),
        { kind: 'failed', message: 'lo: ended' },
        both([1, first(3)], [3, gap(5)]),
        both([4, gap(7)], [3, gap(5)]),
      ),
    ).toEqual(['2 first 7', 'failed', '3 gap 5 false', '4 gap 7 false']);
  });

  test('one that is added is told of alone, and so is the rest when it is gone', () => {
    const alone = { ...capturing(1), missedBefore: first(3) };
    expect(toldOf(alone, both([1, first(3)], [2, first(4)]), alone)).toEqual([
      '1 first 3',
      '2 first 4',
      '1 first 3',
    ]);
  });

  test('what becomes known of one while another is unknown is told with the rest, as a correction', () => {
    expect(
      toldOf(
        both([3, unknown], [4, unknown]),
        both([3, gap(5, true)], [4, unknown]),
        both([3, gap(5, true)], [4, gap(2, true)]),
      ),
    ).toEqual(['4 unknown', '4 gap 7 true']);
  });

  test('what passed an interface that was not captured before is told with the gap of another', () => {
    expect(toldOf(both([3, unknown], [4, first(9)]), both([3, gap(5, true)], [4, first(9)]))).toEqual([
      '4 unknown',
      '4 gap 5 true 9',
    ]);
  });

  test('an interface that is up again is told of alone', () => {
    const down = { kind: 'interfaceDown', generation: 2, interface: 'lo' } as const;
    expect(toldOf(both([1, first(3)], [2, first(4)]), down, both([1, first(3)], [2, gap(0)]))).toEqual([
      '2 first 7',
      'interfaceDown',
      '2 gap 0 false',
    ]);
  });

  test('one that is refused alone is reported once, again each hour, and when it is refused no more', () => {
    const told: boolean[] = [];
    const status = captureStatuses([(_pod, report) => told.push('refused' in report)]);
    const refused = both([1, first(3)], [2, first(4)], true);
    for (const report of [refused, refused]) status.report(pod, report);
    expect(told).toEqual([true]);
    status.renew();
    expect(told).toEqual([true, true]);
    status.report(pod, both([1, first(3)], [2, first(4)]));
    status.renew();
    expect(told).toEqual([true, true, false]);
  });
});

function capturing(generation: number): CaptureStatus & { readonly kind: 'capturing' } {
  return { kind: 'capturing', generation, spec: specOf(1), missedBefore: { kind: 'first', packets: 0 } };
}
