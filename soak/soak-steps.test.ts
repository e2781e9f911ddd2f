import { expect, test } from 'vitest';
import { desiredAfter, nothingDesired } from './desired-pods.ts';
import { isFault, type Operation } from './operations.ts';
import { type SoakStep, stepsOf } from './soak-steps.ts';

test('yields the same steps for the same seed, and others for another', () => {
  expect(take(7, 500)).toEqual(take(7, 500));
  expect(take(8, 500)).not.toEqual(take(7, 500));
});

test.each([1, 2, 3, 4_294_967_295])(
  'yields operations of every kind for seed %d, and only on Pods that exist',
  (seed) => {
    let desired = nothingDesired;
    const kinds = new Set<string>();
    let faults = 0;
    for (const { operation, pauseMs } of take(seed, 2_000)) {
      kinds.add(operation.kind);
      faults += isFault(operation) ? 1 : 0;
      const exists = 'pod' in operation && desired.pods.has(operation.pod);
      expect(exists).toBe('pod' in operation && operation.kind !== 'create');
      desired = desiredAfter(desired, operation);
      expect(desired.pods.size).toBeLessThanOrEqual(6);
      expect(pauseMs).toBeGreaterThanOrEqual(0);
    }
    expect(kinds.size).toBe(30);
    expect(faults).toBeGreaterThan(400);
  },
);

test('freezes with no text twice', () => {
  const texts = take(5, 2_000).flatMap(({ operation }) =>
    operation.kind === 'freeze' ? operation.text : [],
  );
  expect(new Set(texts).size).toBe(texts.length);
  expect(texts.length).toBeGreaterThan(50);
});

test.each<Operation['kind']>([
  'freeze',
  'pause',
  'resume',
  'interfaces',
  'applyPolicy',
  'deletePolicy',
  'label',
])('several times in 15 minutes: %s', (kind) => {
  const counts = Array.from({ length: 20 }, (_, seed) => take(seed, 250)).map(
    (steps) => steps.filter(({ operation }) => operation.kind === kind).length,
  );
  expect(Math.min(...counts)).toBeGreaterThanOrEqual(2);
  expect(counts.reduce((sum, count) => sum + count, 0) / counts.length).toBeGreaterThan(4);
});

function take(seed: number, count: number): SoakStep[] {
  const steps = stepsOf(seed);
  return Array.from({ length: count }, () => steps.next().value);
}
