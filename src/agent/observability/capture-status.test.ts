import { expect, test } from 'vitest';
import { noTotals } from '../storage/capture-records.ts';
import { specOf } from '../testing/fixtures.ts';
import { type CaptureStatus, captureStatuses } from './capture-status.ts';

const pod = { namespace: 'default', name: 'web', uid: 'uid-1' };

test('each change is told in order to every listener, and the same again is no news', () => {
  const told: string[] = [];
  const status = captureStatuses([
    (_pod, { kind }) => told.push(`first ${kind}`),
    (_pod, { kind }) => told.push(`second ${kind}`),
  ]);
  status.report(pod, { kind: 'waiting' });
  status.report(pod, { kind: 'waiting' });
  status.report(pod, { kind: 'failed', message: 'a' });
  status.report(pod, { kind: 'failed', message: 'a' });
  status.report(pod, { kind: 'failed', message: 'b' });
  expect(told).toEqual(
    ['waiting', 'failed', 'failed'].flatMap((kind) => [`first ${kind}`, `second ${kind}`]),
  );
  expect(status.of('uid-1')).toEqual({ kind: 'failed', message: 'b' });
  // A number is not deduplicated.
  expect(status.counts()).toEqual({ starts: 0, failures: 3 });
});

test('an interface that is up again is told, and is no other start', () => {
  const told: string[] = [];
  const status = captureStatuses([(_pod, { kind }) => told.push(kind)]);
  const started = { kind: 'capturing', generation: 1, spec: specOf(5), missedBefore: 0 } as const;
  status.report(pod, started);
  const down = { kind: 'interfaceDown', generation: 1, interface: 'eth0' } as const;
  status.report(pod, down);
  status.renew();
  status.report(pod, started);
  expect(told).toEqual(['capturing', 'interfaceDown', 'interfaceDown', 'capturing']);
  expect(status.counts()).toEqual({ starts: 1, failures: 0 });
  status.report(pod, down);
  status.report(pod, capturing(2));
  expect(status.counts()).toEqual({ starts: 2, failures: 0 });
});

test('what was forgotten is news again', () => {
  const told: string[] = [];
  const status = captureStatuses([({ uid }) => told.push(uid)]);
  status.report(pod, { kind: 'waiting' });
  status.forget('uid-1');
  expect(status.of('uid-1')).toBeUndefined();
  status.report(pod, { kind: 'waiting' });
  status.report({ ...pod, uid: 'uid-2' }, { kind: 'waiting' });
  expect(told).toEqual(['uid-1', 'uid-1', 'uid-2']);
});

test('what a recording counted stays in the sum when it has ended, and the next one is added', () => {
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

test('what a person must still know is told again', () => {
  const told: string[] = [];
  const status = captureStatuses([({ uid }, { kind }) => told.push(`${uid} ${kind}`)]);
  status.report(pod, { kind: 'refused', refusal: { reason: 'HostNetwork', message: '' } });
  status.report({ ...pod, uid: 'uid-2' }, capturing(1));
  status.renew();
  expect(told).toEqual(['uid-1 refused', 'uid-2 capturing', 'uid-1 refused']);
});

function capturing(generation: number): CaptureStatus {
  return { kind: 'capturing', generation, spec: specOf(1), missedBefore: 0 };
}
