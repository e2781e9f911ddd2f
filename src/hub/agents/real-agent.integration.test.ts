import { buffer } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import { hubScene, hubServerName, hubService } from '../../agent/link/testing/hub-scene.ts';
import { agentScene } from '../../agent/testing/agent-scene.ts';
import { until } from '../../base/until.ts';
import { list } from '../../kubernetes/testing/api-server.ts';
import { memoryLog } from '../../kubernetes/testing/memory-logger.ts';
import { podObject } from '../../kubernetes/testing/pod-object.ts';
import { linkPaths, type ReportLine } from '../../link/protocol.ts';
import { readBytes } from '../../pcap/testing/read-capture.ts';
import { captureStore } from '../captures/capture-store.ts';
import { findRecording, findTap } from '../streams/find-source.ts';
import { sends } from '../streams/testing/scripted-streams.ts';
import { recordingLine } from '../testing/reporting-agent.ts';
import { connectTestAgent } from '../testing/test-agent.ts';
import { linkServer } from './link-server.ts';
import type { ReviewToken } from './token-review.ts';

// The agent and the hub, each as it is: what one says the other must understand.

const wanted = { 'tcpdump.antrea.io': '2' };
const labels = { app: 'web' };
const web = { namespace: 'default', name: 'web' };
const fresh = () => ({ signal: AbortSignal.timeout(10_000) });

const liarsToken = 'of a compromised agent';

const accept: ReviewToken = async (token) => ({
  kind: 'accepted',
  token,
  identity: { node: token === liarsToken ? 'node2' : 'node1', podName: 'podcap-1', podUid: token },
  expiresAtMs: Date.now() + 3_600_000,
});

type StreamValues = Readonly<Record<string, string>>;

async function nodeWithHub() {
  const opened = new AsyncDisposableStack();
  const node = opened.use(await agentScene());
  const scene = opened.use(await hubScene(node.server));
  const certificate = await scene.authority.sign('server', { dnsName: hubServerName });
  const store = opened.use(captureStore());
  const { receiveReports } = store;
  const log = memoryLog();
  const hub = opened.use(
    linkServer({
      certificate,
      reviews: { ofStranger: accept, ofAgent: accept },
      receiveReports,
      version: '1.2.3',
      log,
    }),
  );
  const port = await hub.listen(0, '127.0.0.1');
  scene.list({ port });
  return {
    node,
    store,
    hub,
    start: () => node.start(3_600, { hub: hubService, hubTokenFile: scene.tokenFile }),
    /** Connects an agent of another Node, which reports what it likes. */
    async startLiar(recordings: readonly ReportLine[]) {
      const { cert: ca } = scene.authority;
      const handlers = { [linkPaths.recording]: sends('forged'), [linkPaths.tap]: sends('forged') };
      const serverName = hubServerName;
      return await connectTestAgent({ port, ca, serverName, token: liarsToken, recordings, handlers });
    },
    /** What a client gets of Pod web from a download or a live capture: all bytes, or why none. */
    async read(find: typeof findRecording | typeof findTap, parameters: StreamValues = {}) {
      const namespaces = { ageOf: async () => ({ kind: 'created', atMs: 0 }) as const };
      const origins = { captures: store, agents: hub.agents, namespaces };
      const asked = { capture: web, parameters, accept: '', user: 'jane', mayAskAll: () => true, ...fresh() };
      const found = await find(origins, asked);
      if (found.kind === 'error') return found;
      return { kind: 'bytes', node: found.node, bytes: await buffer(found.response.body) } as const;
    },
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

test('a compromised agent that claims the Pod of another Node keeps nobody from its packets', async () => {
  await using scene = await nodeWithHub();
  const { node } = scene;
  node.server.script.list.push(list('5', [podObject('web', '4', wanted, labels)]));
  await using _agent = await scene.start();
  const shown = async () => (await scene.store.get(web, fresh()))?.status.recordings[0];
  await until(async () => (await shown())?.phase === 'Capturing', { what: 'the capture to be shown' });
  await node.testbed.sendDatagrams({ count: 20 });
  await until(async () => ((await shown())?.packets ?? 0) >= 20, { what: 'the packets to be counted' });
  expect(await scene.read(findRecording)).toMatchObject({ kind: 'bytes', node: 'node1' });
  const brief = { duration: '1s' };
  expect(await scene.read(findTap, brief)).toMatchObject({ kind: 'bytes', node: 'node1' });

  const lie = recordingLine({ namespace: 'default', name: 'web', uid: 'uid-web' });
  await using _liar = await scene.startLiar([lie]);
  await until(() => scene.store.counts().syncedAgents === 2, { what: 'both agents to be synced' });
  const conflict = { code: 409, reason: 'Conflict', message: expect.stringContaining('node1, node2;') };
  expect(await scene.read(findRecording)).toMatchObject(conflict);
  expect(await scene.read(findTap, brief)).toMatchObject(conflict);
  const recorded = await scene.read(findRecording, { node: 'node1' });
  if (recorded.kind !== 'bytes') throw new Error(recorded.message);
  expect((await readBytes(recorded.bytes)).packets.length).toBeGreaterThanOrEqual(20);
  expect(await scene.read(findTap, { ...brief, node: 'node1' })).toMatchObject({ node: 'node1' });
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
