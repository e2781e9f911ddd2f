import { expect, test } from 'vitest';
import { isFault, type SoakStep, stepsOf, type WantedPods, wantedAfter } from './operations.ts';

test('the same seed gives the same steps, another one others', () => {
  expect(take(7, 500)).toEqual(take(7, 500));
  expect(take(8, 500)).not.toEqual(take(7, 500));
});

test.each([1, 2, 3, 4_294_967_295])('the steps of seed %d make sense, and have every kind', (seed) => {
  let wanted: WantedPods = new Map();
  const kinds = new Set<string>();
  let faults = 0;
  for (const { operation, pauseMs } of take(seed, 2_000)) {
    kinds.add(operation.kind);
    faults += isFault(operation) ? 1 : 0;
    const isThere = 'pod' in operation && wanted.has(operation.pod);
    expect(isThere).toBe('pod' in operation && operation.kind !== 'create');
    wanted = wantedAfter(wanted, operation);
    expect(wanted.size).toBeLessThanOrEqual(6);
    expect(pauseMs).toBeGreaterThanOrEqual(0);
  }
  expect(kinds.size).toBe(21);
  expect(faults).toBeGreaterThan(400);
});

test('what is wanted follows the operations', () => {
  const steps = [
    { kind: 'create', pod: 'a', node: 'node1' },
    { kind: 'create', pod: 'b', node: 'node2', files: 2 },
    { kind: 'flap', pod: 'a', times: 3, files: 4 },
    { kind: 'unannotate', pod: 'b' },
    { kind: 'killTcpdump', pod: 'a' },
  ] as const;
  const wanted = steps.reduce<WantedPods>(wantedAfter, new Map());
  expect([...wanted]).toEqual([
    ['a', { node: 'node1', files: 4 }],
    ['b', { node: 'node2', files: undefined }],
  ]);
  expect(wantedAfter(wanted, { kind: 'delete', pod: 'a', force: true }).has('a')).toBe(false);
});

function take(seed: number, count: number): SoakStep[] {
  const steps = stepsOf(seed);
  return Array.from({ length: count }, () => steps.next().value);
}
