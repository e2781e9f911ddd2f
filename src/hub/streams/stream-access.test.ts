import { expect, test } from 'vitest';
import { until } from '../../base/until.ts';
import { refusal } from '../../kubernetes/testing/api-server.ts';
import { linkPaths } from '../../link/protocol.ts';
import { captureOfWeb, recordingOn } from './testing/capture-of-web.ts';
import { goesOn, sends } from './testing/scripted-streams.ts';
import { reviewsPath, streamScene } from './testing/stream-scene.ts';

const captures = [
  captureOfWeb(recordingOn('node-1', 'new'), recordingOn('node-1', 'old', '2026-10-01T00:00:00Z')),
];

function message({ body }: { readonly body: Buffer }): unknown {
  return JSON.parse(body.toString('utf8')).message;
}

test.for([
  [
    'log',
    ['get'],
    'you may see captures in shop, but not download them: verb download on captures.podcap.dev',
  ],
  ['log', ['get', 'tap'], 'verb download on captures.podcap.dev in namespace shop'],
  [
    'attach',
    ['get', 'download'],
    'you may see captures in shop, but not tap them: verb tap on captures.podcap.dev',
  ],
  ['attach', [], 'you may not tap captures in shop: verb tap on captures.podcap.dev in namespace shop'],
] as const)('%s is refused to a user who has only %s', async ([subresource, verbs, words]) => {
  const scene = await streamScene({ captures, allowed: new Set(verbs) });
  await using agent = await scene.agent('node-1', {
    [linkPaths.recording]: sends('bytes'),
    [linkPaths.tap]: sends('bytes'),
  });
  const answer = await scene.get(`shop/web/${subresource}`);
  expect(answer.status).toBe(403);
  expect(message(answer)).toContain(words);
  expect(agent.requests.filter((each) => !each.includes('reports') && !each.includes('counters'))).toEqual(
    [],
  );
  expect(scene.audited()).toMatchObject([{ event: 'StreamRefused', reason: 'Forbidden', code: 403 }]);
  expect(scene.events).toEqual([['refused', subresource, 'Forbidden']]);
});

test.for(['log', 'attach'])(
  'nothing is sent while nobody says whether it may be: %s',
  async (subresource) => {
    const scene = await streamScene({ captures });
    await using _ = await scene.agent('node-1', {
      [linkPaths.recording]: sends('bytes'),
      [linkPaths.tap]: sends('bytes'),
    });
    scene.api.answers.set(reviewsPath, () => ({ kind: 'cut' }));
    const answer = await scene.get(`shop/web/${subresource}`);
    expect(answer.status).toBe(503);
    expect(message(answer)).toContain('cannot ask the API server what you may do, so it allows nothing');
  },
);

test.for(['log', 'attach'])('nothing is sent of a namespace that is gone: %s', async (subresource) => {
  const scene = await streamScene({ captures });
  await using _ = await scene.agent('node-1', {
    [linkPaths.recording]: sends('bytes'),
    [linkPaths.tap]: sends('bytes'),
  });
  scene.api.script.read.push(refusal(404, 'NotFound'));
  const answer = await scene.get(`shop/web/${subresource}`);
  expect(answer.status).toBe(404);
  expect(message(answer)).toBe('namespace shop does not exist');
});

test('a namespace that was created again inherits no recording', async () => {
  const scene = await streamScene({ captures });
  await using _ = await scene.agent('node-1', { [linkPaths.recording]: sends('bytes') });
  const old = await scene.get('shop/web/log?uid=old');
  expect(old.status).toBe(404);
  expect(message(old)).toContain('has no recording with uid old');
  const again = { metadata: { creationTimestamp: '2026-11-30T10:00:01Z' } };
  scene.api.objects.set('/api/v1/namespaces/shop', again);
  const newest = await scene.get('shop/web/log');
  expect(newest.status).toBe(404);
  expect(message(newest)).toContain('nothing is recorded of Pod web in namespace shop');
});

test('asks again while a stream lasts, and cuts it when the right is gone', async () => {
  const scene = await streamScene({ captures, timing: { authorizeEveryMs: 20 } });
  await using _ = await scene.agent('node-1', { [linkPaths.tap]: goesOn });
  const answer = scene.get('shop/web/attach');
  await until(() => scene.audited().length === 1, { what: 'the stream to start' });
  scene.allowed.delete('tap');
  expect(await answer).toMatchObject({ status: 200, isComplete: false });
  await until(() => scene.audited().length === 2, { what: 'the audit line' });
  expect(scene.audited()[1]).toMatchObject({ event: 'StreamEnded', ending: 'AccessRevoked', bytes: 7 });
});

test('a stream goes on while the API server is away, but not for ever', async () => {
  const scene = await streamScene({ captures, timing: { authorizeEveryMs: 20, uncheckedMs: 200 } });
  await using _ = await scene.agent('node-1', { [linkPaths.tap]: goesOn });
  const answer = scene.get('shop/web/attach');
  await until(() => scene.audited().length === 1, { what: 'the stream to start' });
  const before = scene.api.requests.length;
  scene.api.answers.set(reviewsPath, () => refusal(503, 'ServiceUnavailable'));
  expect(await answer).toMatchObject({ isComplete: false });
  expect(scene.api.requests.length).toBeGreaterThan(before + 1);
  await until(() => scene.audited().length === 2, { what: 'the audit line' });
  expect(scene.audited()[1]).toMatchObject({ ending: 'AccessUnchecked' });
});

test('a stream ends as cut when the hub stops', async () => {
  const scene = await streamScene({ captures });
  await using _ = await scene.agent('node-1', { [linkPaths.recording]: goesOn });
  const answer = scene.get('shop/web/log');
  await until(() => scene.audited().length === 1, { what: 'the stream to start' });
  scene.stopHub();
  expect(await answer).toMatchObject({ isComplete: false });
  await until(() => scene.audited().length === 2, { what: 'the audit line' });
  expect(scene.audited()[1]).toMatchObject({ ending: 'HubStopping' });
});

test('who waits for an agent while the hub stops is told so', async () => {
  const scene = await streamScene({ captures });
  const isAsked = Promise.withResolvers<void>();
  await using _ = await scene.agent('node-1', { [linkPaths.recording]: () => isAsked.resolve() });
  const answer = scene.get('shop/web/log');
  await isAsked.promise;
  scene.stopHub();
  expect(await answer).toMatchObject({ status: 503 });
  expect(message(await answer)).toBe('this replica of the hub is shutting down: try again');
  expect(scene.audited()).toMatchObject([{ event: 'StreamRefused', reason: 'Aborted' }]);
});

test('a stream whose agent is gone is cut, never ended', async () => {
  const scene = await streamScene({ captures });
  await using agent = await scene.agent('node-1', { [linkPaths.recording]: goesOn });
  const answer = scene.get('shop/web/log');
  await until(() => scene.audited().length === 1, { what: 'the stream to start' });
  agent.cut();
  expect(await answer).toMatchObject({ status: 200, isComplete: false });
  await until(() => scene.audited().length === 2, { what: 'the audit line' });
  expect(scene.audited()[1]).toMatchObject({ ending: 'SourceCut' });
});

test('each stream leaves a line at its start and at its end, with all that was asked for', async () => {
  const scene = await streamScene({ captures });
  await using _ = await scene.agent('node-1', { [linkPaths.recording]: sends('bytes') });
  await scene.get('shop/web/log?format=pcap');
  await until(() => scene.audited().length === 2, { what: 'both lines' });
  const [start, end] = scene.audited();
  const stream = {
    audit: true,
    auditId: 'chosen-by-the-client',
    uid: '42',
    groups: ['developers'],
    from: '203.0.113.7',
    verb: 'download',
    namespace: 'shop',
    name: 'web',
    recording: 'new',
    node: 'node-1',
    parameters: { format: 'pcap' },
  };
  expect(start).toMatchObject({ ...stream, event: 'StreamStarted' });
  expect(end).toMatchObject({ ...stream, event: 'StreamEnded', ending: 'Complete', bytes: 5 });
  expect(start?.id).toMatch(/^[0-9a-f-]{36}$/);
  expect(end?.id).toBe(start?.id);
  expect(scene.events).toEqual([
    ['opened', 'log', expect.any(Number)],
    ['bytes', 'log', 5],
    ['ended', 'log', 'Complete', expect.any(Number)],
  ]);
});

test('counts streams per user and per hub, and takes the next one when one has ended', async () => {
  const scene = await streamScene({ captures, bounds: { perHub: 2, perUser: 1 } });
  await using _ = await scene.agent('node-1', {
    [linkPaths.tap]: goesOn,
    [linkPaths.recording]: sends('bytes'),
  });
  const ann = scene.open('shop/web/attach', { user: 'ann' });
  await ann.firstBytes;
  const second = await scene.get('shop/web/log', { user: 'ann' });
  expect(second).toMatchObject({ status: 429, headers: { 'retry-after': '10' } });
  expect(message(second)).toContain('you have 1 streams open at this hub');
  const bob = scene.open('shop/web/attach', { user: 'bob' });
  await bob.firstBytes;
  const third = await scene.get('shop/web/log', { user: 'cid' });
  expect(third.status).toBe(429);
  expect(message(third)).toContain('this hub has 2 streams open');
  ann.leave();
  await until(() => scene.events.some(([name]) => name === 'ended'), { what: 'the stream to end' });
  expect((await scene.get('shop/web/log', { user: 'ann' })).status).toBe(200);
});
