import type { ServerHttp2Stream } from 'node:http2';
import { expect, test } from 'vitest';
import { until } from '../../base/until.ts';
import { linkPaths } from '../../link/protocol.ts';
import { captureOfWeb, recordingOn } from './testing/capture-of-web.ts';
import { goesOn, refuses, sends } from './testing/scripted-streams.ts';
import { streamScene } from './testing/stream-scene.ts';

const absent = refuses(404, 'PodNotFound', 'no such Pod on this Node');

function message({ body }: { readonly body: Buffer }): unknown {
  return JSON.parse(body.toString('utf8')).message;
}

test('without a hint, all agents are asked, and the one that has the Pod is read', async () => {
  const scene = await streamScene();
  await using one = await scene.agent('node-1', { [linkPaths.tap]: absent });
  await using two = await scene.agent('node-2', { [linkPaths.tap]: sends('packets') });
  await using three = await scene.agent('node-3', { [linkPaths.tap]: absent });
  const answer = await scene.get('shop/web/attach?filter=tcp%20port%2080&count=5&snaplen=96&duration=30s');
  expect(answer).toMatchObject({ status: 200, isComplete: true });
  expect(answer.body.toString()).toBe('packets');
  const path = 'GET /v1/tap?filter=tcp+port+80&count=5&snaplen=96&duration=30s&namespace=shop&name=web';
  for (const agent of [one, two, three]) expect(agent.requests).toContain(path);
});

test('an agent whose connection ends has no say', async () => {
  const scene = await streamScene();
  await using one = await scene.agent('node-1', { [linkPaths.tap]: () => one.cut() });
  await using _two = await scene.agent('node-2', { [linkPaths.tap]: sends('packets') });
  expect((await scene.get('shop/web/attach')).body.toString()).toBe('packets');
});

test('of the Node that the client names, no other is asked', async () => {
  const scene = await streamScene();
  await using one = await scene.agent('node-1', { [linkPaths.tap]: sends('from elsewhere') });
  await using two = await scene.agent('node-2', { [linkPaths.tap]: sends('packets') });
  await using three = await scene.agent('node-3', { [linkPaths.tap]: absent });
  await using four = await scene.agent('node-4', { [linkPaths.tap]: () => four.cut() });
  expect((await scene.get('shop/web/attach?node=node-2')).body.toString()).toBe('packets');
  expect(two.requests).toContain('GET /v1/tap?namespace=shop&name=web');
  const refused = async (node: string) => {
    const answer = await scene.get(`shop/web/attach?node=${node}`);
    return [answer.status, message(answer)];
  };
  expect(await refused('node-3')).toEqual([
    404,
    'Node node-3 has no running Pod web in namespace shop: without ?node=, all agents are asked',
  ]);
  expect(await refused('node-4')).toEqual([
    503,
    expect.stringContaining('agents of these Nodes did not answer: node-4; try again'),
  ]);
  expect(await refused('node-9')).toEqual([
    503,
    expect.stringContaining('no agent of Node node-9 is connected to this hub: check the name'),
  ]);
  for (const other of [one, three]) {
    const asked = other === three ? 1 : 0;
    expect(other.requests.filter((each) => each.includes('tap'))).toHaveLength(asked);
  }
});

test('an agent that is faster than the right one cannot pass its packets off for those of the Pod', async () => {
  const scene = await streamScene({ captures: [captureOfWeb(recordingOn('node-1', 'forged'))] });
  const hasLied = Promise.withResolvers<void>();
  let ended = 0;
  const begin = (stream: ServerHttp2Stream) => {
    goesOn(stream);
    stream.once('close', () => {
      ended += 1;
    });
  };
  await using _one = await scene.agent('node-1', {
    [linkPaths.tap](stream) {
      begin(stream);
      hasLied.resolve();
    },
  });
  await using _two = await scene.agent('node-2', {
    [linkPaths.tap]: (stream) => void hasLied.promise.then(() => begin(stream)),
  });
  const answer = await scene.get('shop/web/attach');
  expect(answer.status).toBe(409);
  expect(message(answer)).toContain('runs there: node-1, node-2; one of them is wrong, or lies');
  await until(() => ended === 2, { what: 'both to end' });
  expect(scene.audited()).toMatchObject([{ event: 'StreamRefused' }]);
});

test.for([
  [429, 'TooManyTaps', '8 taps run'],
  [403, 'HostNetwork', 'the Pod uses the host network'],
  [400, 'InvalidFilter', 'syntax error'],
] as const)(
  'an agent that has the Pod and refuses with %s %s contradicts one that sends it',
  async ([status, reason, words]) => {
    const scene = await streamScene();
    await using _one = await scene.agent('node-1', { [linkPaths.tap]: sends('forged packets') });
    await using _two = await scene.agent('node-2', { [linkPaths.tap]: refuses(status, reason, words) });
    const answer = await scene.get('shop/web/attach');
    expect(answer.status).toBe(409);
    expect(message(answer)).toContain('runs there: node-1, node-2;');
  },
);

test.for([
  [400, 'InvalidParameter', 'count=x: must be a number'],
  [503, 'PodsNotListed', 'the agent does not know the Pods of its Node yet'],
  [418, 'Teapot', 'tea'],
] as const)(
  'an agent that refuses with %s %s does not say that it has the Pod',
  async ([status, reason, words]) => {
    const scene = await streamScene();
    await using _one = await scene.agent('node-1', { [linkPaths.tap]: refuses(status, reason, words) });
    await using _two = await scene.agent('node-2', { [linkPaths.tap]: sends('packets') });
    expect((await scene.get('shop/web/attach')).body.toString()).toBe('packets');
  },
);

test('of two agents on a Node, the newer one serves taps, and the other one where that does not have the Pod', async () => {
  const scene = await streamScene();
  await using _older = await scene.agent('node-1', { [linkPaths.tap]: sends('from the older') });
  await using newer = await scene.agent('node-1', { [linkPaths.tap]: sends('from the newer') });
  expect((await scene.get('shop/web/attach')).body.toString()).toBe('from the newer');
  newer.cut();
  await using _newest = await scene.agent('node-1', { [linkPaths.tap]: absent });
  expect((await scene.get('shop/web/attach')).body.toString()).toBe('from the older');
});

test('tells a Pod that no agent has from agents that do not answer', async () => {
  const scene = await streamScene();
  await using _one = await scene.agent('node-1', { [linkPaths.tap]: absent });
  const unknown = await scene.get('shop/web/attach');
  expect(unknown.status).toBe(404);
  expect(message(unknown)).toContain(
    'no agent has a running Pod web in namespace shop; all 1 that are connected',
  );
  await using two = await scene.agent('node-2', { [linkPaths.tap]: () => two.cut() });
  const unreachable = await scene.get('shop/web/attach');
  expect(unreachable).toMatchObject({ status: 503 });
  expect(message(unreachable)).toContain('agents of these Nodes did not answer: node-2; try again');
});

test('says that no agent is connected', async () => {
  const scene = await streamScene();
  const answer = await scene.get('shop/web/attach');
  expect(answer.status).toBe(503);
  expect(message(answer)).toContain('no agent is connected to this hub');
});

test('an agent that has the Pod and refuses is believed', async () => {
  const scene = await streamScene();
  await using _one = await scene.agent('node-1', { [linkPaths.tap]: absent });
  await using _two = await scene.agent('node-2', {
    [linkPaths.tap]: refuses(429, 'TooManyTaps', '8 taps run'),
  });
  const answer = await scene.get('shop/web/attach');
  expect(answer.status).toBe(429);
  expect(message(answer)).toBe('8 taps run (Node node-2: TooManyTaps)');
});

test('the tap of a client that goes away ends at once', async () => {
  const scene = await streamScene();
  let isClosed = false;
  await using _ = await scene.agent('node-1', {
    [linkPaths.tap](stream) {
      goesOn(stream);
      stream.once('close', () => {
        isClosed = true;
      });
    },
  });
  const client = scene.open('shop/web/attach');
  await client.firstBytes;
  client.leave();
  await until(() => isClosed, { what: 'the tap to end' });
  await until(() => scene.audited().some(({ event }) => event === 'StreamEnded'), { what: 'the audit line' });
  expect(scene.audited().at(-1)).toMatchObject({ event: 'StreamEnded', ending: 'ClientGone', bytes: 7 });
});

test('a user who has all agents asked again and again has to name the Node', async () => {
  const scene = await streamScene();
  await using one = await scene.agent('node-1', { [linkPaths.tap]: absent });
  await using _two = await scene.agent('node-2', { [linkPaths.tap]: sends('packets') });
  const statuses: number[] = [];
  for (let at = 0; at < 300 && !statuses.includes(429); at += 1) {
    statuses.push((await scene.get('shop/web/attach')).status);
  }
  expect(statuses.at(-1)).toBe(429);
  const asked = () => one.requests.filter((each) => each.includes('tap')).length;
  const before = asked();
  expect(before).toBe(statuses.length - 1);
  expect((await scene.get('shop/web/attach?node=node-2')).status).toBe(200);
  expect(asked()).toBe(before);
});
