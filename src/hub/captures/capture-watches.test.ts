import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { followCaptures, textOf } from '../testing/followed-captures.ts';
import { deletedLine, linkAgent, recordingLine } from '../testing/reporting-agent.ts';
import { captureStore } from './capture-store.ts';
import type { CaptureChange } from './captures.ts';

const everything = { namespace: undefined, name: undefined };
const versionAt = (ms: number) => BigInt(ms) * 1_000_000n;
const unlimited = () => ({ signal: AbortSignal.timeout(60_000) });

test('a watch has what is there, and then each change at once', async () => {
  using store = captureStore();
  const agent = linkAgent(store.receiveReports);
  agent.reportAll(recordingLine());
  await using watch = followCaptures(store, { kind: 'now' });
  expect(await watch.next(2)).toEqual(['added checkout Capturing', 'initial bookmark']);
  agent.report(recordingLine({ status: { phase: 'Paused' } }));
  expect(await watch.next(1)).toEqual(['modified checkout Paused']);
  agent.report(recordingLine({ name: 'second' }));
  expect(await watch.next(1)).toEqual(['added second Capturing']);
  agent.report(deletedLine());
  expect(await watch.next(1)).toEqual(['deleted checkout Paused']);
  agent.report(recordingLine({ status: { phase: 'Waiting' } }));
  expect(await watch.next(1)).toEqual(['added checkout Waiting']);
  // The same again is no change.
  agent.report(recordingLine({ status: { phase: 'Waiting' } }), recordingLine({ name: 'last' }));
  expect(await watch.next(1)).toEqual(['added last Capturing']);
});

test('a watch of a namespace, or of one name, has nothing else', async () => {
  using store = captureStore();
  const agent = linkAgent(store.receiveReports);
  await using ofNamespace = followCaptures(store, { kind: 'now' }, { namespace: 'shop', name: undefined });
  await using ofName = followCaptures(store, { kind: 'now' }, { namespace: 'shop', name: 'second' });
  expect(await ofNamespace.next(1)).toEqual(['initial bookmark']);
  expect(await ofName.next(1)).toEqual(['initial bookmark']);
  agent.reportAll(
    recordingLine({ namespace: 'b', name: 'second' }),
    recordingLine(),
    recordingLine({ name: 'second' }),
  );
  expect(await ofNamespace.next(2)).toEqual(['added checkout Capturing', 'added second Capturing']);
  expect(await ofName.next(1)).toEqual(['added second Capturing']);
});

test('each change has a higher resource version than all before, a deletion too', async () => {
  using store = captureStore({ nowMs: () => 1_700_000_000_000 });
  const agent = linkAgent(store.receiveReports);
  await using watch = followCaptures(store, { kind: 'now' });
  expect(await watch.next(1)).toEqual(['initial bookmark']);
  agent.reportAll(recordingLine());
  expect(await watch.next(1)).toEqual(['added checkout Capturing']);
  const { resourceVersion } = await store.list(everything, unlimited());
  agent.report(deletedLine());
  expect(await watch.next(1)).toEqual(['deleted checkout Capturing']);
  const [, added, deleted] = watch.versions;
  expect(Number(added)).toBeLessThanOrEqual(Number(resourceVersion));
  expect(Number(deleted)).toBeGreaterThan(Number(resourceVersion));
});

test('a watch that does not read has each capture once, as it is by then', async () => {
  using store = captureStore();
  const agent = linkAgent(store.receiveReports);
  const ending = new AbortController();
  const watch = store.watch(everything, { kind: 'now' }, ending.signal)[Symbol.asyncIterator]();
  expect((await watch.next()).value).toMatchObject([{ kind: 'bookmark', isInitial: true }]);
  const change = watch.next();
  agent.reportAll(recordingLine());
  expect((await change).value).toMatchObject([{ kind: 'added' }]);
  for (let packets = 0; packets < 1_000; packets += 1) agent.report(recordingLine({ status: { packets } }));
  agent.report(recordingLine({ name: 'last' }));
  expect((await watch.next()).value).toMatchObject([
    { kind: 'modified', capture: { status: { recordings: [{ packets: 999 }] } } },
    { kind: 'added', capture: { metadata: { name: 'last' } } },
  ]);
  ending.abort();
  expect(await watch.next()).toEqual({ done: true, value: undefined });
});

test('what changes while a watch begins is sent once, as it is by then', async () => {
  using store = captureStore();
  const agent = linkAgent(store.receiveReports);
  const names = Array.from({ length: 300 }, (_, at) => `web-${at + 1_000}`);
  agent.reportAll(...names.map((name) => recordingLine({ name })));
  const ending = new AbortController();
  const watch = store.watch(everything, { kind: 'now' }, ending.signal)[Symbol.asyncIterator]();
  const first = (await watch.next()).value ?? [];
  expect(first).toHaveLength(128);
  agent.report(
    recordingLine({ name: 'web-1000', status: { phase: 'Paused' } }),
    recordingLine({ name: 'web-1298', status: { phase: 'Paused' } }),
    deletedLine({ name: 'web-1299' }),
    recordingLine({ name: 'web-1299', status: { phase: 'Ended' } }),
    recordingLine({ name: 'new' }),
  );
  const rest: CaptureChange[] = [];
  while (rest.length < 300 - 128 + 3) rest.push(...((await watch.next()).value ?? []));
  expect(rest.slice(-5).map(textOf)).toEqual([
    'modified web-1000 Paused',
    'added web-1298 Paused',
    'added web-1299 Ended',
    'added new Capturing',
    'initial bookmark',
  ]);
  ending.abort();
});

test('watches that begin alike get the same parts', async () => {
  using store = captureStore();
  const names = Array.from({ length: 300 }, (_, at) => `web-${at}`);
  linkAgent(store.receiveReports).reportAll(...names.map((name) => recordingLine({ name })));
  const partsOf = async () => {
    const parts: (readonly CaptureChange[])[] = [];
    for await (const part of store.watch(everything, { kind: 'now' }, unlimited().signal)) {
      if (part.some(({ kind }) => kind === 'bookmark')) return parts;
      parts.push(part);
    }
    return parts;
  };
  const [one, other] = await Promise.all([partsOf(), partsOf()]);
  expect(one.map(({ length }) => length)).toEqual([128, 128, 44]);
  expect(one).toEqual(other);
});

test('a watch that resumes gets what changed or was deleted within the last minute before', async () => {
  let now = 1_700_000_000_000;
  using store = captureStore({ nowMs: () => now });
  const agent = linkAgent(store.receiveReports);
  agent.reportAll(
    recordingLine({ name: 'old' }),
    recordingLine({ name: 'changed' }),
    recordingLine({ name: 'gone' }),
  );
  now += 300_000;
  agent.report(recordingLine({ name: 'new' }), deletedLine({ name: 'gone' }));
  agent.report(recordingLine({ name: 'changed', status: { phase: 'Ended' } }));
  now += 59_000;
  await using watch = followCaptures(store, { kind: 'version', resourceVersion: versionAt(now) });
  expect(await watch.next(4)).toEqual([
    'added new Capturing',
    'deleted gone ',
    'modified changed Ended',
    'bookmark',
  ]);
  now += 2_000;
  await using later = followCaptures(store, { kind: 'version', resourceVersion: versionAt(now) });
  expect(await later.next(1)).toEqual(['bookmark']);
});

test('a watch may ask for less of what is sent again: of a shorter time, and not for counters alone', async () => {
  let now = 1_700_000_000_000;
  using store = captureStore({ nowMs: () => now });
  const counters = () => [{ uid: 'uid-of-old', counters: { files: 1, bytes: 24, packets: 7 } }];
  const agent = linkAgent(store.receiveReports, { counters });
  agent.reportAll(recordingLine({ name: 'old' }), recordingLine({ name: 'gone' }));
  now += 300_000;
  agent.report(deletedLine({ name: 'gone' }));
  now += 15_000;
  agent.report(recordingLine({ name: 'new' }));
  now += 10_000;
  await store.list(everything, unlimited());
  const since = { kind: 'version', resourceVersion: versionAt(now), resentMs: 20_000 } as const;
  await using watch = followCaptures(store, since);
  expect(await watch.next(2)).toEqual(['added new Capturing', 'bookmark']);
});

test('a replica that is younger than what a watch resumes from sends everything, and what it knows to be deleted', async () => {
  let now = 1_700_000_000_000;
  using store = captureStore({ nowMs: () => now });
  const deletedAt = new Date(now - 300_000).toISOString();
  const longAgo = new Date(now - 700_000).toISOString();
  linkAgent(store.receiveReports).reportAll(
    recordingLine(),
    deletedLine({ name: 'gone', deletedAt }),
    deletedLine({ name: 'forgotten', deletedAt: longAgo }),
  );
  now += 30_000;
  await using watch = followCaptures(store, { kind: 'version', resourceVersion: versionAt(now) });
  expect(await watch.next(3)).toEqual(['added checkout Capturing', 'deleted gone ', 'bookmark']);
});

test('a capture that came and went again while its agent was not connected is deleted for who knows it from another replica', async () => {
  let now = 1_700_000_000_000;
  using store = captureStore({ nowMs: () => now });
  const agent = linkAgent(store.receiveReports);
  agent.reportAll(recordingLine());
  const first = deletedLine({ deletedAt: new Date(now).toISOString() });
  agent.report(first);
  agent.disconnect();
  now += 120_000;
  const listedAtOther = versionAt(now);
  now += 30_000;
  const second = deletedLine({ uid: 'recreated', deletedAt: new Date(now).toISOString() });
  now += 30_000;
  linkAgent(store.receiveReports).reportAll(first, second);
  now += 30_000;
  // What an agent says again to each hub that connects is no news.
  linkAgent(store.receiveReports).reportAll(first, second);
  await using watch = followCaptures(store, { kind: 'version', resourceVersion: listedAtOther });
  expect(await watch.next(2)).toEqual(['deleted checkout ', 'bookmark']);
  expect(watch.versions[0]).toMatch(`${now - 30_000}000`);
});

test('deletions of longer than 10 minutes ago are forgotten', () => {
  let now = 1_700_000_000_000;
  using store = captureStore({ nowMs: () => now });
  now += 3_600_000;
  expect(store.deletionsSince(versionAt(now - 599_000))).toBe('complete');
  expect(store.deletionsSince(versionAt(now - 600_000))).toBe('forgotten');
  expect(store.deletionsSince(versionAt(now + 60_000))).toBe('complete');
});

test('a replica that another one may have told of agents that it never knew is not certain of deletions', async () => {
  let now = 1_700_000_000_000;
  using old = captureStore({ nowMs: () => now, replica: 1 });
  const lost = linkAgent(old.receiveReports, { node: 'lost' });
  lost.reportAll(recordingLine({ name: 'ghost' }));
  now += 3_600_000;
  lost.disconnect();
  using young = captureStore({ nowMs: () => now, replica: 2 });
  now += 599_000;
  const list = await old.list(everything, unlimited());
  expect(list.items.map(({ metadata }) => metadata.name)).toEqual(['ghost']);
  expect(young.deletionsSince(BigInt(list.resourceVersion))).toBe('uncertain');
  const again = await young.list(everything, unlimited());
  expect(young.deletionsSince(BigInt(again.resourceVersion))).toBe('complete');
  expect(old.deletionsSince(BigInt(again.resourceVersion))).toBe('complete');
  // 10 minutes in which a lost agent is shown, and one in which each agent has connected.
  now += 61_000;
  expect(young.deletionsSince(BigInt(list.resourceVersion))).toBe('uncertain');
  const later = await old.list(everything, unlimited());
  expect(young.deletionsSince(BigInt(later.resourceVersion))).toBe('complete');
});

test('a version of another process that had the same mark is not its own', () => {
  const now = 1_700_000_000_000;
  using store = captureStore({ nowMs: () => now, replica: 7 });
  expect(store.deletionsSince(versionAt(now - 1) + 7n)).toBe('uncertain');
  expect(store.deletionsSince(versionAt(now) + 7n)).toBe('complete');
  expect(store.deletionsSince(versionAt(now) + 8n)).toBe('uncertain');
});

test('counters are told to watches once a minute at most, and a state at once', async () => {
  using store = captureStore();
  let packets = 1;
  const counters = () => [{ uid: 'uid-of-checkout', counters: { files: 1, bytes: 24, packets } }];
  const agent = linkAgent(store.receiveReports, { counters });
  agent.reportAll(recordingLine());
  await using watch = followCaptures(store, { kind: 'now' });
  expect(await watch.next(2)).toEqual(['added checkout Capturing', 'initial bookmark']);
  packets = 2;
  await store.list(everything, unlimited());
  await sleep(50);
  agent.report(recordingLine({ name: 'second' }));
  expect(await watch.next(1)).toEqual(['added second Capturing']);
});
