import { expect, test } from 'vitest';
import { testCapture } from '../api/testing/memory-captures.ts';
import type { CaptureEntry } from './capture-entry.ts';
import { captureWatches } from './capture-watches.ts';
import type { CaptureChange, ObjectChange } from './captures.ts';
import { pendingChanges, WatchOverrun } from './pending-changes.ts';

const change = (name: string, version = '1'): ObjectChange => ({
  kind: 'modified',
  capture: testCapture({ name, version }),
});

const namesOf = (changes: readonly ObjectChange[]) => changes.map(({ capture }) => capture.metadata.name);

test('changes are taken once, the oldest first, and of a capture the newest, where it came last', () => {
  const pending = pendingChanges()();
  for (const name of ['a', 'b', 'c']) pending.put(name, change(name));
  pending.put('a', change('a', '2'));
  pending.amend('b', { ...change('b'), kind: 'added' });
  expect(pending.take(2)).toEqual([{ ...change('b'), kind: 'added' }, change('c')]);
  expect(pending.take(2)).toEqual([change('a', '2')]);
  expect(pending.isEmpty()).toBe(true);
});

test('over the bound of all, the watch that has most is over, and others go on', () => {
  const open = pendingChanges(10);
  const [slow, other] = [open(), open()];
  for (let at = 0; at < 8; at += 1) slow.put(`${at}`, change(`${at}`));
  for (const name of ['a', 'b']) other.put(name, change(name));
  // The same capture again takes no more.
  other.put('b', change('b', '2'));
  expect(slow.isEmpty()).toBe(false);
  other.put('c', change('c'));
  expect(() => slow.take(1)).toThrow(WatchOverrun);
  expect(slow.get('0')).toBeUndefined();
  slow.put('9', change('9'));
  expect(() => slow.take(1)).toThrow(WatchOverrun);
  expect(namesOf(other.take(9))).toEqual(['a', 'b', 'c']);
});

test('what was taken, or waited for a watch that has ended, does not count', () => {
  const open = pendingChanges(3);
  const [first, second] = [open(), open()];
  for (const name of ['a', 'b', 'c']) first.put(name, change(name));
  first.take(2);
  for (const name of ['a', 'b']) second.put(name, change(name));
  second[Symbol.dispose]();
  for (const name of ['a', 'b']) first.put(name, change(name));
  expect(namesOf(first.take(9))).toEqual(['c', 'a', 'b']);
});

test('a watch whose reader takes nothing while too much changes ends, and one that is read does not', async () => {
  const watches = captureWatches({ version: () => '9', bookmarkEveryMs: 60_000, mostPending: 4 });
  const ending = new AbortController();
  const everything = { namespace: undefined, name: undefined };
  const start = { scope: everything, initial: () => [], knownSince: undefined, isFromNow: true };
  const [stalled, read] = [watches.open(start, ending.signal), watches.open(start, ending.signal)];
  const taken: CaptureChange[] = [];
  for (const each of [stalled, read]) expect((await each.next()).value).toMatchObject([{ isInitial: true }]);
  for (const name of ['a', 'b', 'c', 'd']) {
    watches.notify(entryOf(name));
    taken.push(...((await read.next()).value ?? []));
  }
  watches.notify(entryOf('e'));
  await expect(stalled.next()).rejects.toThrow(WatchOverrun);
  taken.push(...((await read.next()).value ?? []));
  expect(taken).toHaveLength(5);
  expect(watches.count()).toBe(1);
  ending.abort();
  await read.return();
});

function entryOf(name: string): CaptureEntry {
  const versions = { addedVersion: 1, version: 2, stateVersion: 2 };
  const state = { isDeleted: false, claims: [], hasNewCounters: false };
  return {
    key: name,
    namespace: 'shop',
    name,
    uid: name,
    ...versions,
    ...state,
    capture: testCapture({ name }),
  };
}
