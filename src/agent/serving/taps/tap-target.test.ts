import { expect, test } from 'vitest';
import { podWith } from '../../testing/fixtures.ts';
import { hasPodEnded, tapTarget } from './tap-target.ts';

const own = { namespace: 'kube-system' };
const web = podWith();
const labels = { 'app.kubernetes.io/name': 'podcap' };

test('finds the Pod of that name, or the one of that UID', () => {
  const earlier = podWith({ uid: 'uid-0' });
  const name = { namespace: 'default', name: 'web' };
  expect(tapTarget({ ...name, uid: undefined }, [web], own)).toEqual({ kind: 'pod', pod: web });
  expect(tapTarget({ ...name, uid: 'uid-0' }, [web, earlier], own)).toEqual({ kind: 'pod', pod: earlier });
});

test.each([
  ['another name', { namespace: 'default', name: 'we' }, web, 404, 'PodNotFound'],
  ['another namespace', { namespace: 'shop', name: 'web' }, web, 404, 'PodNotFound'],
  ['another UID', { namespace: 'default', name: 'web', uid: 'uid-2' }, web, 404, 'PodNotFound'],
  ['the host network', {}, podWith({ hostNetwork: true }), 403, 'HostNetwork'],
  [
    'an agent or hub',
    { namespace: 'kube-system' },
    podWith({ namespace: 'kube-system', labels }),
    403,
    'OwnPod',
  ],
])('refuses %s', (_what, wanted, pod, status, reason) => {
  const name = { namespace: 'default', name: 'web', uid: undefined, ...wanted };
  expect(tapTarget(name, [pod], own)).toMatchObject({ kind: 'refused', status, error: { reason } });
});

test("a label alone makes no Pod of another namespace one of Podcap's", () => {
  const named = podWith({ labels });
  expect(tapTarget({ namespace: 'default', name: 'web', uid: undefined }, [named], own).kind).toBe('pod');
});

test.each([
  ['is gone', [], true],
  ['has succeeded', [podWith({ phase: 'Succeeded' })], true],
  ['has failed', [podWith({ phase: 'Failed' })], true],
  ['is being deleted', [podWith({ deletionTimestamp: '2026-01-01T00:00:00Z' })], false],
  ['is running', [web], false],
])('a Pod that %s', (_what, pods, expected) => {
  expect(hasPodEnded('uid-1', new Map(pods.map((pod) => [pod.uid, pod])))).toBe(expected);
});
