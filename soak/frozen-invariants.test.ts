import { expect, test } from 'vitest';
import type { Expectation } from './desired-pods.ts';
import { frozenViolations } from './frozen-invariants.ts';
import type { ObservedPod } from './observed-cluster.ts';
import type { ObservedFrozenRing } from './observed-folder.ts';
import { captured, observedPod as pod } from './testing/observed-pod.ts';

const notAsked: Expectation = { isAsked: false, captured: [], folder: 'may', files: 2 };
const isFrozen = 'no ring is still being frozen';
const fewRings = 'at most 3 frozen rings';
const ringsStay = 'the first and the newest frozen rings stay with the files';
const textFroze = 'each text of podcap.dev/freeze has frozen the ring, also one that has waited';

test.each<[string, readonly number[], readonly number[], Partial<ObservedPod>, readonly string[]]>([
  ['nothing was frozen', [], [], {}, []],
  ['one more is frozen', [1], [1, 2], {}, []],
  ['the oldest but the first makes way', [1, 2, 3], [1, 3, 4], {}, []],
  ['two of them do', [1, 2, 3], [1, 4, 5], {}, []],
  ['the first is gone', [1, 2, 3], [2, 3, 4], {}, [ringsStay]],
  ['the newest is gone', [1, 2], [1], {}, [ringsStay]],
  ['one is gone for one newer', [1, 2], [1, 3], {}, [ringsStay]],
  ['the newest made way without space', [1, 2], [1, 3], { wasDiskFilled: true }, []],
  ['the newest is gone without space', [1, 2], [1], { wasDiskFilled: true }, [ringsStay]],
  ['the first is gone without space', [1, 2], [2, 3], { wasDiskFilled: true }, [ringsStay]],
  ['nobody asks for them, without space', [1, 2], [], { wasDiskFilled: true, expected: notAsked }, []],
  ['nobody asks for them', [1, 2], [], { expected: notAsked }, [ringsStay]],
  ['there are too many', [1], [1, 2, 3, 4], {}, [fewRings]],
])('%s: %j becomes %j', (_what, before, after, change, violated) => {
  const now = { ...pod, folder: folder(after.map((number) => ring(number))), ...change };
  expect(frozenViolations(now, historyOf(before))).toEqual(violated);
});

test('those of an earlier folder are gone with it', () => {
  const now = { ...pod, folder: { ...folder([]), id: 'b' } };
  expect(frozenViolations(now, historyOf([1]))).toEqual([]);
});

test('a ring that is still being frozen is a violation', () => {
  const now = { ...pod, folder: folder([{ ...ring(1), isFrozen: false }]) };
  expect(frozenViolations(now, historyOf([]))).toEqual([isFrozen]);
});

const dueText = { text: 'now', mayLackSpace: false };

test.each<[string, Partial<ObservedPod>, readonly string[], readonly string[]]>([
  ['has frozen a ring', { dueText }, ['now'], []],
  ['has frozen nothing', { dueText }, ['before'], [textFroze]],
  ['was only noted', { dueText, folder: folder([], 'now') }, [], [textFroze]],
  ['waits while nothing is captured', { dueText, expected: { ...captured, captured: [] } }, [], []],
  [
    'is not taken into account without space',
    { dueText: { ...dueText, mayLackSpace: true } },
    [],
    [textFroze],
  ],
  [
    'froze nothing without space',
    { dueText: { ...dueText, mayLackSpace: true }, folder: folder([], 'now') },
    [],
    [],
  ],
])('a text that %s', (_what, change, texts, violated) => {
  const now = { ...pod, folder: folder([]), ...change };
  expect(frozenViolations(now, historyOf([], texts))).toEqual(violated);
});

function historyOf(frozen: readonly number[], texts: readonly string[] = []) {
  return { frozenTexts: new Set(texts), folders: new Map([['uid-a', { id: 'a', frozen }]]) };
}

function folder(frozen: readonly ObservedFrozenRing[], seenText?: string) {
  return { id: 'a', policy: undefined, seenText, interfaces: [], ring: {}, frozen };
}

function ring(number: number): ObservedFrozenRing {
  return { number, isFrozen: true, texts: [], files: {} };
}
