import { expect, test } from 'vitest';
import { hubScene, hubServerName, hubService } from '../../agent/link/testing/hub-scene.ts';
import { agentScene } from '../../agent/testing/agent-scene.ts';
import { until } from '../../base/until.ts';
import { list } from '../../kubernetes/testing/api-server.ts';
import { memoryLog } from '../../kubernetes/testing/memory-logger.ts';
import { podObject } from '../../kubernetes/testing/pod-object.ts';
import { captureStore } from '../captures/capture-store.ts';
import { linkServer } from './link-server.ts';
import type { ReviewToken } from './token-review.ts';

// The agent and the hub, each as it is: what one says the other must understand.

const wanted = { 'tcpdump.antrea.io': '2' };
const labels = { app: 'web' };
const web = { namespace: 'default', name: 'web' };
const fresh = () => ({ signal: AbortSignal.timeout(10_000) });

const accept: ReviewToken = async (token) => ({
  kind: 'accepted',
  token,
  identity: { node: 'node1', podName: 'podcap-1', podUid: token },
  expiresAtMs: Date.now() + 3_600_000,
});

async function nodeWithHub() {
  const opened = new AsyncDisposableStack();
  const node = opened.use(await agentScene());
  const scene = opened.use(await hubScene(node.server));
  const certificate = await scene.authority.sign('server', { dnsName: hubServerName });
  const store = opened.use(captureStore());
  const { receiveReports } = store;
  const log = memoryLog();
  const hub = opened.use(linkServer({ certificate, review: accept, receiveReports, version: '1.2.3', log }));
  scene.list({ port: await hub.listen(0, '127.0.0.1') });
  return {
    node,
    store,
    hub,
    start: () => node.start(3_600, { hub: hubService, hubTokenFile: scene.tokenFile }),
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

test('a hub shows what an agent captures, counts its packets, and shows when it is deleted', async () => {
  await using scene = await nodeWithHub();
  const { node, store, hub } = scene;
  node.server.script.list.push(list('5', [podObject('web', '4', wanted, labels)]));
  await using _agent = await scene.start();
  const shown = async () => (await store.get(web, fresh()))?.status.recordings[0];
  await until(async () => (await shown())?.phase === 'Capturing', { what: 'the capture to be shown' });
  expect(store.counts().syncedAgents).toBe(1);
  expect((await store.get(web, fresh()))?.metadata.labels).toEqual(labels);
  await node.testbed.sendDatagrams({ count: 20 });
  await until(async () => ((await shown())?.packets ?? 0) >= 20, { what: 'the packets to be counted' });
  expect(await shown()).toMatchObject({ uid: 'uid-web', node: 'node1', dropped: 0, interfaces: ['eth0'] });
  expect((await store.list({ namespace: undefined, name: undefined }, fresh())).missingNodes).toEqual([]);
  const unasked = podObject('web', '7', {}, labels);
  node.server.objects.set('/api/v1/namespaces/default/pods/web', unasked);
  (await node.server.nextWatch()).send({ type: 'MODIFIED', object: unasked });
  await until(async () => (await store.get(web, fresh())) === undefined, { what: 'it to be gone' });
  expect(hub.counts()).toMatchObject({ connected: 1, malformedReports: 0 });
});

test('an agent that stops leaves what it captured as unknown', async () => {
  await using scene = await nodeWithHub();
  scene.node.server.script.list.push(list('5', [podObject('web', '4', wanted, labels)]));
  const agent = await scene.start();
  const phase = async () => (await scene.store.get(web, fresh()))?.status.recordings[0]?.phase;
  await until(async () => (await phase()) === 'Capturing', { what: 'the capture to be shown' });
  await agent.stop();
  await until(() => scene.hub.agents.all().length === 0, { what: 'the agent to be gone' });
  expect(await phase()).toBe('Unknown');
});

test('a hub gets the fresh token of an agent', async () => {
  await using scene = await nodeWithHub();
  await using _agent = await scene.start();
  const [link] = await until(() => scene.hub.agents.all().length > 0 && scene.hub.agents.all(), {
    what: 'the agent to connect',
  });
  const request = { method: 'GET', path: '/v1/token', ...fresh(), responseMs: 5_000 } as const;
  const answer = await link?.request(request);
  expect(answer?.status).toBe(200);
  expect(await new Response(answer && ReadableStream.from(answer.body)).text()).toBe('first');
});
