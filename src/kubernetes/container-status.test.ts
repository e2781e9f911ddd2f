import { expect, test } from 'vitest';
import { parsePod } from './pod.ts';
import { podObject } from './testing/pod-object.ts';

const end = {
  exitCode: 137,
  reason: 'OOMKilled',
  finishedAt: '2026-01-01T00:00:05Z',
  containerID: 'containerd://a',
};
const kept = { exitCode: 137, reason: 'OOMKilled', finishedAt: '2026-01-01T00:00:05Z', id: 'containerd://a' };

function containersWith(status: object, spec: object = {}) {
  const pod = { ...podObject('web', '7', {}), spec, status: { phase: 'Running', ...status } };
  const parsed = parsePod(pod);
  return parsed.kind === 'valid' ? parsed.object.containers : parsed.problem;
}

const app = { name: 'app', restartCount: 0, ready: true };

test.each([
  ['runs', { state: { running: {} } }, {}],
  ['has just ended', { state: { terminated: end } }, { lastEnd: kept }],
  ['waits for its next start', { state: { waiting: {} }, lastState: { terminated: end } }, { lastEnd: kept }],
  ['runs again', { restartCount: 1, lastState: { terminated: end } }, { restarts: 1, lastEnd: kept }],
])('a container that %s', (_what, status, expected) => {
  expect(containersWith({ containerStatuses: [{ ...app, ...status }] })).toEqual([
    {
      name: 'app',
      kind: 'main',
      restarts: 0,
      isReady: true,
      mayComplete: false,
      hasCompleted: false,
      ...expected,
    },
  ]);
});

test('an end without the ID of its run is the same one when the container runs again', () => {
  const { containerID: _none, ...unnamed } = end;
  const idOf = (status: object) => {
    const containers = containersWith({ containerStatuses: [{ ...app, ...status }] });
    return Array.isArray(containers) ? containers[0]?.lastEnd?.id : containers;
  };
  const ended = idOf({ state: { terminated: unnamed } });
  expect(idOf({ restartCount: 1, lastState: { terminated: unnamed } })).toBe(ended);
  expect(idOf({ state: { terminated: { ...unnamed, finishedAt: '2026-01-01T00:00:06Z' } } })).not.toBe(ended);
});

test.each([
  ['a container of a Pod that always restarts', {}, 'containerStatuses', false],
  ['a container of a Job', { restartPolicy: 'Never' }, 'containerStatuses', true],
  ['a container that restarts on failure', { restartPolicy: 'OnFailure' }, 'containerStatuses', true],
  ['an init container', { initContainers: [{ name: 'app' }] }, 'initContainerStatuses', true],
  [
    'a sidecar',
    { restartPolicy: 'Never', initContainers: [{ name: 'app', restartPolicy: 'Always' }] },
    'initContainerStatuses',
    false,
  ],
])('whether %s may complete', (_what, spec, list, mayComplete) => {
  expect(containersWith({ [list]: [app] }, spec)).toMatchObject([{ name: 'app', mayComplete }]);
});

test('a Pod without a status has no containers, and one with very many has the first of them', () => {
  expect(containersWith({})).toEqual([]);
  const many = Array.from({ length: 300 }, (_, i) => ({ name: `c${i}` }));
  expect(containersWith({ containerStatuses: many })).toHaveLength(100);
});
