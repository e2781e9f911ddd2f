import { expect, test } from 'vitest';
import { type DesiredPods, desiredAfter, isFault, type SoakStep, stepsOf } from './operations.ts';

test('yields the same steps for the same seed, and others for another', () => {
  expect(take(7, 500)).toEqual(take(7, 500));
  expect(take(8, 500)).not.toEqual(take(7, 500));
});

test.each([1, 2, 3, 4_294_967_295])(
  'yields operations of every kind for seed %d, and only on Pods that exist',
  (seed) => {
    let desired: DesiredPods = new Map();
    const kinds = new Set<string>();
    let faults = 0;
    for (const { operation, pauseMs } of take(seed, 2_000)) {
      kinds.add(operation.kind);
      faults += isFault(operation) ? 1 : 0;
      const exists = 'pod' in operation && desired.has(operation.pod);
      expect(exists).toBe('pod' in operation && operation.kind !== 'create');
      desired = desiredAfter(desired, operation);
      expect(desired.size).toBeLessThanOrEqual(6);
      expect(pauseMs).toBeGreaterThanOrEqual(0);
    }
    expect(kinds.size).toBe(23);
    expect(faults).toBeGreaterThan(400);
  },
);

test('derives the Pods and their annotations from the operations', () => {
  const steps = [
    { kind: 'create', pod: 'a', node: 'node1' },
    { kind: 'create', pod: 'b', node: 'node2', files: 2 },
    { kind: 'flap', pod: 'a', times: 3, files: 4 },
    { kind: 'unannotate', pod: 'b' },
    { kind: 'killTcpdump', pod: 'a' },
  ] as const;
  const desired = steps.reduce<DesiredPods>(desiredAfter, new Map());
  expect([...desired]).toEqual([
    ['a', { node: 'node1', files: 4 }],
    ['b', { node: 'node2', files: undefined }],
  ]);
  expect(desiredAfter(desired, { kind: 'delete', pod: 'a', force: true }).has('a')).toBe(false);
});

function take(seed: number, count: number): SoakStep[] {
  const steps = stepsOf(seed);
  return Array.from({ length: count }, () => steps.next().value);
}
