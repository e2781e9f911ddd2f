import { expect, test } from 'vitest';
import {
  type DesiredPods,
  desiredAfter,
  desiredWhenSettled,
  type Expectation,
  expectationAfterEnd,
  expectationOf,
  nothingDesired,
} from './desired-pods.ts';
import type { Operation } from './operations.ts';

const create = { kind: 'create', pod: 'a', node: 'node1', label: 'red', freezesOnRestart: false } as const;
const policy = { kind: 'applyPolicy', files: 3, isPaused: false, label: 'red' } as const;
const annotate = { kind: 'annotate', pod: 'a', files: 2 } as const;
const unannotate = { kind: 'unannotate', pod: 'a' } as const;
const deletePolicy = { kind: 'deletePolicy' } as const;
const moved = { kind: 'label', pod: 'a', label: 'blue' } as const;
const captured = { isAsked: true, captured: ['eth0'], folder: 'must' } as const;

test.each<[string, readonly Operation[], Partial<Expectation>]>([
  ['without a request', [create], { captured: [], folder: 'must not' }],
  ['that is annotated', [create, annotate], { ...captured, files: 2 }],
  ['that a policy selects', [create, policy], { ...captured, files: 3 }],
  ['whose annotation replaces the policy', [create, policy, annotate], { ...captured, files: 2 }],
  ['that the policy does not select', [create, moved, policy], { captured: [], folder: 'must not' }],
  ['that the policy selects no more', [create, policy, moved], { captured: [], folder: 'may', files: 3 }],
  ['with a paused policy', [create, { ...policy, isPaused: true }], { captured: [], folder: 'may' }],
  ['that is paused', [create, annotate, { kind: 'pause', pod: 'a' }], { captured: [], folder: 'may' }],
  [
    'that is paused, but captured by a policy',
    [create, { kind: 'pause', pod: 'a' }, policy],
    { ...captured, files: 3 },
  ],
  [
    'of two interfaces',
    [create, annotate, { kind: 'interfaces', pod: 'a', withLo: true }],
    { captured: ['eth0', 'lo'] },
  ],
  [
    'whose interfaces only its annotation names',
    [create, policy, { kind: 'interfaces', pod: 'a', withLo: true }],
    { captured: ['eth0'] },
  ],
  [
    'that flaps',
    [create, { kind: 'flap', pod: 'a', times: 3, files: 4 }, { kind: 'killTcpdump', pod: 'a' }],
    { ...captured, files: 4 },
  ],
])('expects of a Pod %s what is asked for', (_what, operations, expectation) => {
  expect(expected(after(operations))).toMatchObject(expectation);
});

test.each<[string, readonly Operation[], Expectation['folder']]>([
  ['of a paused annotation', [annotate, { kind: 'pause', pod: 'a' }], 'must'],
  ['of a removed annotation', [annotate, unannotate], 'must not'],
  ['of a deleted policy', [policy, deletePolicy], 'must'],
  ['of a policy that does not select the Pod any more', [policy, moved], 'must'],
  [
    'of a policy that an annotation replaced, and that is deleted',
    [policy, annotate, deletePolicy, unannotate],
    'may',
  ],
  [
    'of a deleted policy, while the disk was full',
    [policy, deletePolicy, { kind: 'fillDisk', ms: 1 }],
    'may',
  ],
  [
    'of a policy that selects the Pod again, after the disk was full',
    [policy, deletePolicy, { kind: 'fillDisk', ms: 1 }, { ...policy, isPaused: true }],
    'may',
  ],
])('expects the files %s to stay if they are not to be deleted', (_what, [ask, ...operations], folder) => {
  const settled = desiredWhenSettled(after([create, ...(ask ? [ask] : [])]), new Set(['a']));
  expect(expected(operations.reduce(desiredAfter, settled)).folder).toBe(folder);
});

test('expects no folder once a removed annotation has settled, but what a policy asked for last', () => {
  const removed = after([create, annotate, unannotate]);
  expect(expected(desiredWhenSettled(removed, new Set())).folder).toBe('must not');
  const unselected = after([create, policy, annotate, unannotate, deletePolicy]);
  expect(expected(unselected).folder).toBe('may');
  expect(expected(desiredWhenSettled(unselected, new Set(['a']))).folder).toBe('must');
});

test('expects the files of a deleted Pod to stay', () => {
  const asked = after([create, annotate]);
  expect(expectationAfterEnd(podIn(asked), asked)).toMatchObject({ captured: [], folder: 'may' });
  const settled = desiredWhenSettled(asked, new Set(['a']));
  expect(expectationAfterEnd(podIn(settled), settled).folder).toBe('must');
  expect(desiredAfter(settled, { kind: 'delete', pod: 'a', force: true }).pods.size).toBe(0);
});

test('remembers the most files since it settled, and ever', () => {
  const asked = after([create, { ...annotate, files: 4 }, annotate, policy]);
  expect(podIn(asked).past).toMatchObject({ mostFiles: 4, mostFilesEver: 4 });
  const settled = desiredWhenSettled(asked, new Set(['a']));
  expect(podIn(settled).past).toMatchObject({ mostFiles: 2, mostFilesEver: 4 });
  // While nothing is captured, nothing is pruned.
  const paused = desiredAfter(asked, { kind: 'pause', pod: 'a' });
  expect(podIn(desiredWhenSettled(paused, new Set(['a']))).past.mostFiles).toBe(4);
});

test('a text must freeze a ring that was captured before, until that has settled', () => {
  const freeze = { kind: 'freeze', pod: 'a', text: 'now' } as const;
  const asked = after([create, annotate]);
  expect(podIn(desiredAfter(asked, freeze)).dueText).toBeUndefined();
  const settled = desiredWhenSettled(asked, new Set(['a']));
  const frozen = desiredAfter(settled, freeze);
  expect(podIn(frozen).dueText).toEqual({ text: 'now', mayLackSpace: false });
  expect(podIn(desiredWhenSettled(frozen, new Set(['a']))).dueText).toBeUndefined();
  const paused = desiredAfter(frozen, { kind: 'pause', pod: 'a' });
  expect(podIn(desiredWhenSettled(paused, new Set(['a']))).dueText?.text).toBe('now');
  expect(podIn([unannotate, annotate].reduce(desiredAfter, frozen)).dueText).toBeUndefined();
  expect(podIn(desiredAfter(frozen, { kind: 'fillDisk', ms: 1 })).dueText?.mayLackSpace).toBe(true);
});

function after(operations: readonly Operation[]): DesiredPods {
  return operations.reduce(desiredAfter, nothingDesired);
}

function podIn({ pods }: DesiredPods) {
  const pod = pods.get('a');
  if (!pod) throw new Error('no Pod a');
  return pod;
}

function expected(desired: DesiredPods): Expectation {
  return expectationOf(podIn(desired), desired);
}
