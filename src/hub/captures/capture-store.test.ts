import { expect, test } from 'vitest';
import { until } from '../../base/until.ts';
import { deletedLine, linkAgent, recordingLine } from '../testing/reporting-agent.ts';
import { captureStore } from './capture-store.ts';
import type { CaptureScope } from './captures.ts';

const everything = { namespace: undefined, name: undefined };
const checkout = { namespace: 'shop', name: 'checkout' };
const unlimited = () => ({ signal: AbortSignal.timeout(60_000) });

test('what an agent reports is listed by namespace and name', async () => {
  using store = captureStore();
  linkAgent(store.receiveReports).reportAll(
    recordingLine({ name: 'web', namespace: 'b' }),
    recordingLine({ name: 'web', namespace: 'a-b' }),
    recordingLine({ name: 'web', namespace: 'a', labels: { app: 'web' } }),
    recordingLine({ name: 'db', namespace: 'a' }),
  );
  const { items, missingNodes } = await store.list(everything, unlimited());
  expect(items.map(({ metadata }) => `${metadata.namespace}/${metadata.name}`)).toEqual([
    'a/db',
    'a/web',
    'a-b/web',
    'b/web',
  ]);
  expect(missingNodes).toEqual([]);
  expect(items[1]?.metadata).toMatchObject({
    uid: expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/),
    labels: { app: 'web' },
    creationTimestamp: '2026-01-02T03:04:05Z',
  });
  expect(items[1]?.status.recordings[0]).toMatchObject({
    uid: 'uid-of-a-web',
    node: 'node-1',
    phase: 'Capturing',
  });
  const scoped = async (scope: CaptureScope) => (await store.list(scope, unlimited())).items.length;
  expect(await scoped({ namespace: 'a', name: undefined })).toBe(2);
  expect(await scoped({ namespace: undefined, name: 'web' })).toBe(3);
  expect(await scoped({ namespace: 'a', name: 'web' })).toBe(1);
  expect(await store.get({ namespace: 'a', name: 'other' }, unlimited())).toBeUndefined();
});

test('a Pod that was created again has its newest recording first, with the labels of that', async () => {
  using store = captureStore();
  const old = { startTime: '2026-01-01T00:00:00Z', phase: 'Ended' } as const;
  linkAgent(store.receiveReports).reportAll(
    recordingLine({ uid: 'new', labels: { app: 'new' } }),
    recordingLine({ uid: 'old', labels: { app: 'old' }, status: old }),
  );
  const capture = await store.get(checkout, unlimited());
  expect(capture?.status.recordings.map(({ uid }) => uid)).toEqual(['new', 'old']);
  expect(capture?.metadata).toMatchObject({
    labels: { app: 'new' },
    creationTimestamp: '2026-01-01T00:00:00Z',
  });
});

test('a list and a get have the counters of now, and leave out what is not known any more', async () => {
  using store = captureStore();
  let packets = 1;
  const counters = () => [{ uid: 'uid-of-checkout', counters: { files: 2, bytes: 1_000, packets } }];
  const agent = linkAgent(store.receiveReports, { counters });
  agent.reportAll(recordingLine({ status: { dropped: 5 } }));
  const before = await store.list(everything, unlimited());
  expect(before.items[0]?.status.recordings[0]).toMatchObject({ files: 2, bytes: 1_000, packets: 1 });
  expect(before.items[0]?.status.recordings[0]).not.toHaveProperty('dropped');
  packets = 2;
  const after = await store.get(checkout, unlimited());
  expect(after?.status.recordings[0]).toMatchObject({ packets: 2 });
  expect(Number(after?.metadata.resourceVersion)).toBeGreaterThan(Number(before.resourceVersion));
  expect(agent.requests).toEqual(['/v1/counters', '/v1/counters uid-of-checkout']);
});

test('many lists at once ask an agent once, and only agents that have captures there', async () => {
  using store = captureStore();
  const asked = linkAgent(store.receiveReports);
  const other = linkAgent(store.receiveReports, { node: 'node-2' });
  asked.reportAll(recordingLine(), recordingLine({ name: 'second' }));
  other.reportAll(recordingLine({ namespace: 'b' }));
  const shop = { namespace: 'shop', name: undefined };
  await Promise.all([1, 2, 3].map(() => store.list(shop, unlimited())));
  expect([asked.requests.length, other.requests.length]).toEqual([1, 0]);
});

test('a list waits no longer than it may for an agent that does not answer, and names its Node', async () => {
  using store = captureStore({ counterTimes: { freshMs: 20, answerMs: 10_000, sharedMs: 0 } });
  linkAgent(store.receiveReports, { counters: undefined }).reportAll(recordingLine());
  linkAgent(store.receiveReports, { node: 'node-2' }).reportAll(recordingLine({ name: 'other' }));
  const { items, missingNodes } = await store.list(everything, unlimited());
  expect([items.length, missingNodes]).toEqual([2, ['node-1']]);
});

test('the captures of a lost agent are unknown, come back with it, and are gone if it does not return', async () => {
  let now = Date.now();
  using store = captureStore({ nowMs: () => now, keepLostMs: 600_000 });
  const agent = linkAgent(store.receiveReports);
  agent.reportAll(recordingLine());
  agent.disconnect();
  const lost = await store.list(everything, unlimited());
  expect(lost.missingNodes).toEqual(['node-1']);
  expect(lost.items[0]?.status.recordings[0]).toMatchObject({ phase: 'Unknown', reason: 'AgentLost' });
  expect(store.agentsOf(checkout, { uid: 'uid-of-checkout', node: 'node-1' })).toEqual([]);

  const again = linkAgent(store.receiveReports);
  again.reportAll(recordingLine());
  const back = await store.list(everything, unlimited());
  expect(back.missingNodes).toEqual([]);
  expect(back.items[0]?.status.recordings[0]?.phase).toBe('Capturing');

  again.disconnect();
  now += 600_001;
  const isGone = async () => (await store.list(everything, unlimited())).items.length === 0;
  await until(isGone, { what: 'the capture to be gone' });
  expect((await store.list(everything, unlimited())).missingNodes).toEqual([]);
});

test('what an agent does not report again after it returned is gone', async () => {
  using store = captureStore();
  linkAgent(store.receiveReports).reportAll(recordingLine(), recordingLine({ name: 'other' }));
  // The hub has not noticed that the first link has ended.
  linkAgent(store.receiveReports).reportAll(recordingLine());
  const { items } = await store.list(everything, unlimited());
  expect(items.map(({ metadata }) => metadata.name)).toEqual(['checkout']);
});

test('a link that was replaced changes nothing any more', async () => {
  using store = captureStore();
  const first = linkAgent(store.receiveReports);
  first.reportAll(recordingLine());
  linkAgent(store.receiveReports).reportAll(recordingLine());
  first.report(deletedLine());
  first.disconnect();
  const capture = await store.get(checkout, unlimited());
  expect(capture?.status.recordings[0]?.phase).toBe('Capturing');
});

test('while agents are rolled, the new one takes over, and the one that holds files serves', async () => {
  using store = captureStore();
  const old = linkAgent(store.receiveReports, { podUid: 'old' });
  old.reportAll(recordingLine({ status: { reason: 'of the old' } }));
  const rolled = linkAgent(store.receiveReports, { podUid: 'new' });
  rolled.reportAll(recordingLine({ status: { files: 0, reason: 'of the new' } }));
  const both = await store.get(checkout, unlimited());
  expect(both?.status.recordings.map(({ reason }) => reason)).toEqual(['of the new']);
  const serving = store.agentsOf(checkout, { uid: 'uid-of-checkout', node: 'node-1' });
  expect(serving.map(({ podUid }) => podUid)).toEqual(['old', 'new']);
  old.disconnect();
  const after = await store.list(everything, unlimited());
  expect(after.items[0]?.status.recordings).toHaveLength(1);
  expect(after.missingNodes).toEqual([]);
});

test('of a Node whose agents are lost one after the other, the last two are shown', async () => {
  using store = captureStore();
  const other = linkAgent(store.receiveReports, { node: 'node-2' });
  other.reportAll(recordingLine({ name: 'other' }));
  other.disconnect();
  for (const podUid of ['first', 'second', 'third', 'fourth']) {
    const agent = linkAgent(store.receiveReports, { podUid });
    agent.report(recordingLine({ name: podUid }));
    agent.disconnect();
  }
  const { items } = await store.list(everything, unlimited());
  expect(items.map(({ metadata }) => metadata.name)).toEqual(['fourth', 'other', 'third']);
});

test('what the agent of a Node that replaces a lost one does not report is gone', async () => {
  using store = captureStore();
  const old = linkAgent(store.receiveReports, { podUid: 'old' });
  old.reportAll(recordingLine(), recordingLine({ name: 'other' }));
  old.disconnect();
  linkAgent(store.receiveReports, { podUid: 'new' }).reportAll(recordingLine());
  const { items } = await store.list(everything, unlimited());
  expect(items.map(({ metadata }) => metadata.name)).toEqual(['checkout']);
});

test('a UID that two Nodes claim is a conflict that names both, each of which has agents of its own', async () => {
  using store = captureStore();
  linkAgent(store.receiveReports).reportAll(recordingLine());
  linkAgent(store.receiveReports, { node: 'node-2' }).reportAll(recordingLine());
  const capture = await store.get(checkout, unlimited());
  expect(
    capture?.status.recordings.map(({ node, phase, reason, message }) => ({ node, phase, reason, message })),
  ).toEqual(
    ['node-1', 'node-2'].map((node) => ({
      node,
      phase: 'Unknown',
      reason: 'Conflict',
      message:
        'several Nodes claim this Pod UID: node-1, node-2; captures/log needs the parameter node with one of them',
    })),
  );
  const nodesOf = (node: string) =>
    store.agentsOf(checkout, { uid: 'uid-of-checkout', node }).map((agent) => agent.node);
  expect(['node-1', 'node-2', 'node-3'].map(nodesOf)).toEqual([['node-1'], ['node-2'], []]);
});

test('an agent deletes nothing of another Node', async () => {
  using store = captureStore();
  linkAgent(store.receiveReports).reportAll(recordingLine());
  linkAgent(store.receiveReports, { node: 'node-2' }).reportAll(deletedLine());
  expect((await store.list(everything, unlimited())).items).toHaveLength(1);
});

test('an agent has no more recordings than the bounds allow, and its Node is named', async () => {
  using store = captureStore();
  const lines = Array.from({ length: 2_001 }, (_, index) => recordingLine({ name: `pod-${index}` }));
  linkAgent(store.receiveReports).reportAll(...lines);
  const { items, missingNodes } = await store.list(everything, unlimited());
  expect([items.length, missingNodes]).toEqual([2_000, ['node-1']]);
});

test('an agent has no more bytes of reports than the bounds allow', async () => {
  using store = captureStore();
  const message = 'x'.repeat(4_000);
  const lines = Array.from({ length: 1_000 }, (_, index) =>
    recordingLine({ name: `pod-${index}`, status: { message } }),
  );
  linkAgent(store.receiveReports).reportAll(...lines);
  const { items } = await store.list(everything, unlimited());
  expect(items.length).toBeGreaterThan(400);
  expect(items.length).toBeLessThan(600);
});
