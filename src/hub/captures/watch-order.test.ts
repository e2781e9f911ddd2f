import { expect, test } from 'vitest';
import { followCaptures, textOf } from '../testing/followed-captures.ts';
import { linkAgent, recordingLine } from '../testing/reporting-agent.ts';
import { captureStore } from './capture-store.ts';
import type { CaptureChange } from './captures.ts';
import { defaultCounterTimes } from './counter-rounds.ts';

const everything = { namespace: undefined, name: undefined };
const unlimited = () => ({ signal: AbortSignal.timeout(60_000) });

function versionOf(change: CaptureChange): bigint {
  return BigInt(
    change.kind === 'bookmark' ? change.resourceVersion : change.capture.metadata.resourceVersion,
  );
}

function expectToRise(versions: readonly bigint[]): void {
  expect(versions).toEqual(versions.toSorted((a, b) => Number(a - b)));
}

test('a watch that resumes is sent the oldest change first, and what changes meanwhile at the end', async () => {
  let now = 1_700_000_000_000;
  let packets = 7;
  const counters = () => [{ uid: 'uid-of-web-1050', counters: { files: 1, bytes: 24, packets } }];
  using store = captureStore({ nowMs: () => now, counterTimes: { ...defaultCounterTimes, sharedMs: 0 } });
  const agent = linkAgent(store.receiveReports, { counters });
  const names = Array.from({ length: 300 }, (_, at) => `web-${at + 1_000}`);
  agent.reportAll(...names.map((name) => recordingLine({ name })));
  const { resourceVersion } = await store.list(everything, unlimited());
  for (const name of names.toReversed()) {
    now += 1_000;
    agent.report(recordingLine({ name, status: { phase: 'Ended' } }));
  }
  const ending = new AbortController();
  const since = { kind: 'version', resourceVersion: BigInt(resourceVersion) } as const;
  const watch = store.watch(everything, since, ending.signal)[Symbol.asyncIterator]();
  const changes = [...((await watch.next()).value ?? [])];
  agent.report(recordingLine({ name: 'web-1100', status: { phase: 'Paused' } }));
  agent.report(recordingLine({ name: 'web-1299', status: { phase: 'Paused' } }));
  packets = 8;
  await store.list(everything, unlimited());
  while (changes.length < 302) changes.push(...((await watch.next()).value ?? []));
  expectToRise(changes.map(versionOf));
  expect(changes.map(textOf)).toEqual([
    ...names
      .toReversed()
      .filter((name) => name !== 'web-1100')
      .map((name) => `added ${name} Ended`),
    'added web-1100 Paused',
    'modified web-1299 Paused',
    'bookmark',
  ]);
  ending.abort();
});

test('a capture that changes again before it is sent comes after all that are older', async () => {
  using store = captureStore();
  const agent = linkAgent(store.receiveReports);
  const ending = new AbortController();
  const watch = store.watch(everything, { kind: 'now' }, ending.signal)[Symbol.asyncIterator]();
  await watch.next();
  const change = watch.next();
  agent.reportAll(recordingLine({ name: 'first' }));
  await change;
  agent.report(recordingLine({ name: 'x' }));
  agent.report(recordingLine({ name: 'y' }));
  agent.report(recordingLine({ name: 'x', status: { phase: 'Ended' } }));
  const changes = (await watch.next()).value ?? [];
  expectToRise(changes.map(versionOf));
  expect(changes.map(textOf)).toEqual(['added y Capturing', 'added x Ended']);
  ending.abort();
});

test('a capture whose counters change before it is sent keeps its place, and the counters come later', async () => {
  const counters = () => [{ uid: 'uid-of-x', counters: { files: 1, bytes: 24, packets: 7 } }];
  using store = captureStore({ watchTimes: { slotMs: 2 } });
  const agent = linkAgent(store.receiveReports, { counters });
  const ending = new AbortController();
  const watch = store.watch(everything, { kind: 'now' }, ending.signal)[Symbol.asyncIterator]();
  await watch.next();
  const change = watch.next();
  agent.reportAll(recordingLine({ name: 'first' }));
  const changes = [...((await change).value ?? [])];
  agent.report(recordingLine({ name: 'x' }));
  agent.report(recordingLine({ name: 'y' }));
  await store.list(everything, unlimited());
  while (changes.length < 4) changes.push(...((await watch.next()).value ?? []));
  expectToRise(changes.map(versionOf));
  expect(changes.slice(1).map(textOf)).toEqual([
    'added x Capturing',
    'added y Capturing',
    'modified x Capturing',
  ]);
  expect(changes[3]).toMatchObject({ capture: { status: { recordings: [{ packets: 7 }] } } });
  ending.abort();
});

test('counters that nobody lists are told to watches too, in turns', async () => {
  const counters = () => [{ uid: 'uid-of-checkout', counters: { files: 1, bytes: 24, packets: 7 } }];
  using store = captureStore({ watchTimes: { slotMs: 2 } });
  linkAgent(store.receiveReports, { counters }).reportAll(recordingLine());
  await using watch = followCaptures(store, { kind: 'now' });
  expect(await watch.next(3)).toEqual([
    'added checkout Capturing',
    'initial bookmark',
    'modified checkout Capturing',
  ]);
  expectToRise(watch.versions.map(BigInt));
});

test('a watch is told from time to time how far it is, and of counters with a later version than that', async () => {
  let packets = 7;
  const counters = () => [{ uid: 'uid-of-checkout', counters: { files: 1, bytes: 24, packets } }];
  using store = captureStore({ watchTimes: { slotMs: 5, bookmarkEveryMs: 1 } });
  linkAgent(store.receiveReports, { counters }).reportAll(recordingLine());
  await using watch = followCaptures(store, { kind: 'now' });
  const seen = [...(await watch.next(3))];
  expect(seen.slice(0, 3)).toEqual(['added checkout Capturing', 'initial bookmark', 'bookmark']);
  packets = 8;
  await store.list(everything, unlimited());
  while (!seen.includes('modified checkout Capturing')) seen.push(...(await watch.next(1)));
  expectToRise(watch.versions.map(BigInt));
});
