import { expect, test } from 'vitest';
import { until } from '../../base/until.ts';
import type { ReportLine } from '../../link/protocol.ts';
import { agentToken } from '../testing/agent-token.ts';
import { followCaptures } from '../testing/followed-captures.ts';
import { linkScene } from '../testing/link-scene.ts';
import { deletedLine, recordingLine } from '../testing/reporting-agent.ts';
import { captureStore } from './capture-store.ts';

const everything = { namespace: undefined, name: undefined };
const unlimited = () => ({ signal: AbortSignal.timeout(60_000) });

/** A store whose agents connect by TLS. */
async function linkedStore() {
  const store = captureStore();
  const scene = await linkScene({ receiveReports: store.receiveReports });
  return {
    store,
    scene,
    async [Symbol.asyncDispose]() {
      await scene[Symbol.asyncDispose]();
      store[Symbol.dispose]();
    },
  };
}

test('what agents report over their links is listed with the counters of now, until they are lost', async () => {
  await using linked = await linkedStore();
  const { store, scene } = linked;
  const counters = () => [{ uid: 'uid-of-checkout', counters: { files: 3, bytes: 1_000, packets: 70 } }];
  await using first = await scene.connect({ recordings: [recordingLine()], counters });
  const second = await scene.connect({
    token: agentToken({ node: 'node-2' }),
    recordings: [recordingLine({ name: 'other' })],
  });
  await until(() => store.counts().syncedAgents === 2, { what: 'the agents to be synced' });
  const { items, missingNodes } = await store.list(everything, unlimited());
  expect(items.map(({ metadata, status }) => [metadata.name, status.recordings[0]])).toMatchObject([
    ['checkout', { node: 'node-1', packets: 70 }],
    ['other', { node: 'node-2', packets: 0 }],
  ]);
  expect(missingNodes).toEqual([]);

  await using watch = followCaptures(store, { kind: 'now' });
  await watch.next(3);
  second.cut();
  expect(await watch.next(1)).toEqual(['modified other Unknown']);
  first.report(recordingLine({ status: { phase: 'Paused' } }));
  expect(await watch.next(1)).toEqual(['modified checkout Paused']);
  first.report(deletedLine());
  expect(await watch.next(1)).toEqual(['deleted checkout Paused']);
  expect(await store.list(everything, unlimited())).toMatchObject({ missingNodes: ['node-2'] });
});

test('a line that no agent sends is skipped, and an agent that sends nothing else loses its link', async () => {
  await using linked = await linkedStore();
  const { store, scene } = linked;
  await using agent = await scene.connect({ recordings: [recordingLine({ name: 'A' }), recordingLine()] });
  await until(() => store.counts().syncedAgents === 1, { what: 'the agent to be synced' });
  expect((await store.list(everything, unlimited())).items.map(({ metadata }) => metadata.name)).toEqual([
    'checkout',
  ]);
  expect(scene.server.counts().malformedReports).toBe(1);
  const malformed: readonly ReportLine[] = Array.from({ length: 100 }, () => recordingLine({ uid: '' }));
  for (const line of malformed) agent.report(line);
  await until(() => agent.isClosed(), { what: 'the link to end' });
  expect(scene.server.counts().malformedReports).toBe(101);
});

test('what an agent leaves out from now on is not shown, its Node is named, and its link stays', async () => {
  await using linked = await linkedStore();
  const { store, scene } = linked;
  const recordings = [recordingLine(), recordingLine({ name: 'other' })];
  await using agent = await scene.connect({ recordings });
  await until(() => store.counts().syncedAgents === 1, { what: 'the agent to be synced' });
  await using watch = followCaptures(store, { kind: 'now' });
  await watch.next(3);
  agent.report({ kind: 'leftOut', recordings: 1, uid: 'uid-of-checkout' });
  expect(await watch.next(1)).toEqual(['deleted checkout Capturing']);
  const { items, missingNodes } = await store.list(everything, unlimited());
  expect([items.map(({ metadata }) => metadata.name), missingNodes]).toEqual([['other'], ['node-1']]);
  agent.report({ kind: 'leftOut', recordings: 0 });
  agent.report(recordingLine());
  expect(await watch.next(1)).toEqual(['added checkout Capturing']);
  expect(store.counts().leftOut).toBe(0);
  expect(agent.requests.filter((request) => request === 'GET /v1/reports')).toHaveLength(1);
});

test('an agent that ends its reports loses its link', async () => {
  await using linked = await linkedStore();
  await using agent = await linked.scene.connect({
    handlers: { '/v1/reports': (stream) => stream.respond({ ':status': 200 }, { endStream: true }) },
  });
  await until(() => agent.isClosed(), { what: 'the link to end' });
  await until(() => linked.store.counts().lostNodes === 1, { what: 'the Node to be missing' });
  expect(linked.scene.log).toContainEqual({
    message: 'an agent has gone',
    fields: expect.objectContaining({ reason: 'ReportsEnded' }),
  });
});

test('an agent whose line never ends loses its link', async () => {
  await using linked = await linkedStore();
  await using agent = await linked.scene.connect({
    handlers: {
      '/v1/reports': (stream) => {
        stream.respond({ ':status': 200 });
        stream.write('x'.repeat(200_000));
      },
    },
  });
  expect(await until(() => agent.isClosed(), { what: 'the link to end' })).toBe(true);
});
