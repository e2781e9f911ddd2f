import { expect, test } from 'vitest';
import { noTotals } from '../storage/capture-records.ts';
import { specOf } from '../testing/fixtures.ts';
import { type CaptureStatus, captureStatuses } from './capture-status.ts';

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
  expect(status.counts()).toEqual({ starts: 0, failures: 3 });
});

test('reports an interface that is up again, and does not count it as a start', () => {
  const reported: string[] = [];
  const status = captureStatuses([(_pod, { kind }) => reported.push(kind)]);
  const started = { kind: 'capturing', generation: 1, spec: specOf(5), missedBefore: 0 } as const;
  status.report(pod, started);
  const down = { kind: 'interfaceDown', generation: 1, interface: 'eth0' } as const;
  status.report(pod, down);
  status.renew();
  status.report(pod, started);
  expect(reported).toEqual(['capturing', 'interfaceDown', 'interfaceDown', 'capturing']);
  expect(status.counts()).toEqual({ starts: 1, failures: 0 });
  status.report(pod, down);
  status.report(pod, capturing(2));
  expect(status.counts()).toEqual({ starts: 2, failures: 0 });
});

test('counts no start when an interface has its name again', () => {
  const status = captureStatuses([]);
  status.report(pod, capturing(1));
  status.report(pod, { kind: 'interfaceRenamed', generation: 1, interface: 'eth0', name: 'eth1' });
  status.report(pod, capturing(1));
  expect(status.counts()).toEqual({ starts: 1, failures: 0 });
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
  status.report(pod, { kind: 'stopped', why: 'PodEnded', totals: counted(30).totals });
  expect(status.totals().captured).toBe(30);
  status.report(pod, capturing(2));
  status.count(pod, counted(5));
  status.count({ ...pod, uid: 'uid-2' }, counted(100));
  expect(status.totals().captured).toBe(135);
  status.forget('uid-1');
  expect(status.counts()).toEqual({ starts: 2, failures: 0 });
});

test('renews the reports of problems that persist, and no others', () => {
  const reported: string[] = [];
  const status = captureStatuses([({ uid }, { kind }) => reported.push(`${uid} ${kind}`)]);
  status.report(pod, { kind: 'refused', refusal: { reason: 'HostNetwork', message: '' } });
  status.report({ ...pod, uid: 'uid-2' }, capturing(1));
  status.renew();
  expect(reported).toEqual(['uid-1 refused', 'uid-2 capturing', 'uid-1 refused']);
});

function capturing(generation: number): CaptureStatus {
  return { kind: 'capturing', generation, spec: specOf(1), missedBefore: 0 };
}
