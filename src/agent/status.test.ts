import { expect, test } from 'vitest';
import { podStatuses } from './status.ts';

const pod = { namespace: 'default', name: 'web', uid: 'uid-1' };

test('each change is told in order to every listener, and the same again is no news', () => {
  const told: string[] = [];
  const status = podStatuses([
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
});

test('what was forgotten is news again', () => {
  const told: string[] = [];
  const status = podStatuses([({ uid }) => told.push(uid)]);
  status.report(pod, { kind: 'waiting' });
  status.forget('uid-1');
  expect(status.of('uid-1')).toBeUndefined();
  status.report(pod, { kind: 'waiting' });
  status.report({ ...pod, uid: 'uid-2' }, { kind: 'waiting' });
  expect(told).toEqual(['uid-1', 'uid-1', 'uid-2']);
});
