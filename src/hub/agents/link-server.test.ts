import { once } from 'node:events';
import { connect as connectTcp, createServer, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { expect, test } from 'vitest';
import { until } from '../../base/until.ts';
import { refusal } from '../../kubernetes/testing/api-server.ts';
import { selfSigned } from '../../kubernetes/testing/certificate.ts';
import { linkProtocol } from '../../link/protocol.ts';
import { listenOnLoopback } from '../../testbed/loopback-port.ts';
import { agentToken, tokenReviewAnswer } from '../testing/agent-token.ts';
import { type LinkScene, linkScene } from '../testing/link-scene.ts';

const hour = 3_600_000;

test('an agent that says who it is is welcomed, and is there until it leaves', async () => {
  await using scene = await linkScene();
  const agent = await scene.connect();
  expect(agent.welcome).toEqual({ kind: 'welcome', version: '1.2.3' });
  const [link] = scene.server.agents.ofNode('node-1');
  expect(link).toMatchObject({ node: 'node-1', podName: 'podcap-node-1', version: '1.2.3' });
  await agent[Symbol.asyncDispose]();
  await until(() => scene.server.agents.all().length === 0, { what: 'the agent to be gone' });
});

test.each([
  ['another account', { account: 'system:serviceaccount:kube-system:other' }, 'WrongAccount'],
  ['the account of another namespace', { account: 'system:serviceaccount:a:podcap' }, 'WrongAccount'],
  ['another audience', { audience: 'https://kubernetes.default.svc' }, 'WrongAudience'],
  ['a token that has expired', { expiresAtMs: Date.now() - hour }, 'TokenExpired'],
  ['a token without a Pod', { podName: undefined }, 'NoPod'],
  ['a token without a Node', { node: undefined }, 'NoNode'],
])('an agent with %s is refused', async (_what, token, reason) => {
  await using scene = await linkScene();
  await using agent = await scene.connect({ token: agentToken(token) });
  expect(agent.welcome).toMatchObject({ kind: 'refused', reason });
  expect(scene.server.agents.all()).toEqual([]);
  expect(scene.server.counts().refused).toEqual(new Map([[reason, 1]]));
  expect(scene.log).toContainEqual({
    message: 'refused an agent',
    fields: expect.objectContaining({ reason, from: '127.0.0.1' }),
  });
});

test.each([
  ['that nobody has signed', { authenticated: false, error: 'invalid bearer token' }, 'TokenInvalid'],
  ['of another user, whatever it says of itself', user({ username: 'system:admin' }), 'WrongAccount'],
  ['whose audience the API server does not confirm', { ...user(), audiences: [] }, 'WrongAudience'],
  ['whose audience the API server does not know', { ...user(), audiences: undefined }, 'WrongAudience'],
  ['whose Pod the API server does not name', user({ extra: {} }), 'NoPod'],
])('a token %s is refused', async (_what, status, reason) => {
  await using scene = await linkScene();
  scene.api.script.write.push(tokenReviewAnswer(status));
  await using agent = await scene.connect();
  expect(agent.welcome).toMatchObject({ kind: 'refused', reason });
});

function user(changes: object = {}): object {
  const username = 'system:serviceaccount:kube-system:podcap';
  return { authenticated: true, audiences: ['podcap-hub'], user: { username, extra: {}, ...changes } };
}

test('an agent whose token cannot be checked is told so, and nobody is accepted meanwhile', async () => {
  await using scene = await linkScene();
  scene.api.script.write.push(refusal(403, 'Forbidden'), { kind: 'cut' });
  for (let i = 0; i < 2; i += 1) {
    await using agent = await scene.connect();
    expect(agent.welcome).toMatchObject({ kind: 'refused', reason: 'TokenUnchecked' });
  }
});

test.each([
  ['is no JSON', 'GET / HTTP/1.1\n'],
  ['has no token', '{"version":"1.2.3"}\n'],
  ['is followed by something', `${JSON.stringify({ token: agentToken(), version: '1' })}\nPRI * HTTP/2.0`],
  ['is too long', 'x'.repeat(40_000)],
  ['has a token that is none', '{"token":"secret","version":"1.2.3"}\n'],
  ['has a version that is none', `${JSON.stringify({ token: agentToken(), version: '1\u202e\u009b31m' })}\n`],
  ['has a version that is long', `${JSON.stringify({ token: agentToken(), version: '1'.repeat(9_999) })}\n`],
])('a client whose first line %s is refused without a question to the API server', async (_what, line) => {
  await using scene = await linkScene();
  const socket = await open(scene);
  socket.write(line);
  await until(() => socket.destroyed || socket.readableEnded, { what: 'the end' });
  expect(scene.server.counts().refused).toEqual(new Map([['Malformed', 1]]));
  expect(scene.api.requests).toEqual([]);
});

async function open(scene: LinkScene, protocols = [linkProtocol]) {
  const { port, certificate } = scene;
  const socket = connectTls({ host: '127.0.0.1', port, ca: certificate.cert, ALPNProtocols: protocols });
  socket.on('error', () => {});
  socket.resume();
  await Promise.race([once(socket, 'secureConnect'), once(socket, 'close')]);
  return socket;
}

test('a client of another protocol is not served', async () => {
  await using scene = await linkScene();
  await expect(open(scene, ['h2'])).rejects.toThrow('no application protocol');
});

const brief = { connections: 4, perAddress: 2, handshakeMs: 300, rate: { burst: 1_000, everyMs: 1 } };

test.each([
  ['says nothing', (scene: LinkScene) => open(scene)],
  ['begins TLS and does not go on', async (scene: LinkScene) => halfTls(scene)],
])('a client that %s is disconnected', async (_what, connect) => {
  await using scene = await linkScene({ admission: brief });
  const socket = await connect(scene);
  expect(await until(() => socket.destroyed, { what: 'the end' })).toBe(true);
});

function halfTls({ port }: LinkScene) {
  const socket = connectTcp({ host: '127.0.0.1', port });
  socket.on('error', () => {});
  socket.resume();
  // A record of a handshake, and the first bytes of a ClientHello.
  socket.write(Buffer.from([0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc]));
  return socket;
}

test('a flood of silent clients keeps no agent out, and an agent that is connected stays', async () => {
  await using scene = await linkScene({ admission: { ...brief, handshakeMs: 60_000 } });
  await using first = await scene.connect({ localAddress: '127.0.0.5' });
  const flood = ['127.0.0.2', '127.0.0.3', '127.0.0.4'].flatMap((localAddress) =>
    [1, 2, 3].map(() => connectTcp({ host: '127.0.0.1', port: scene.port, localAddress })),
  );
  for (const socket of flood) socket.on('error', () => {}).resume();
  await until(() => flood.filter(({ closed }) => closed).length >= 5, { what: 'the flood to be bounded' });
  await using second = await scene.connect({
    localAddress: '127.0.0.6',
    token: agentToken({ node: 'node-2' }),
  });
  expect([first.welcome.kind, second.welcome.kind]).toEqual(['welcome', 'welcome']);
  expect(first.isClosed()).toBe(false);
  for (const socket of flood) socket.destroy();
});

test('an address that connects too fast is not served', async () => {
  await using scene = await linkScene({ admission: { ...brief, rate: { burst: 2, everyMs: 3_600_000 } } });
  const sockets = [1, 2, 3].map(() => connectTcp({ host: '127.0.0.1', port: scene.port }));
  for (const socket of sockets) socket.on('error', () => {}).resume();
  await until(() => sockets.some(({ closed }) => closed), { what: 'one to be closed' });
  expect(sockets.filter(({ closed }) => !closed)).toHaveLength(2);
  for (const socket of sockets) socket.destroy();
});

test('two agents of one Node are connected, and of one Pod only the newest', async () => {
  await using scene = await linkScene();
  await using old = await scene.connect();
  await using rolled = await scene.connect({ token: agentToken({ podName: 'podcap-new' }) });
  await using again = await scene.connect();
  await until(() => old.isClosed(), { what: 'the replaced link to end' });
  expect(scene.server.agents.ofNode('node-1').map(({ podName }) => podName)).toEqual([
    'podcap-node-1',
    'podcap-new',
  ]);
  expect([rolled.isClosed(), again.isClosed()]).toEqual([false, false]);
});

test('an agent that is cut off without a word is noticed by pings', async () => {
  await using scene = await linkScene({ ping: { everyMs: 20, deadAfterMs: 200 } });
  await using network = await relay(scene.port);
  const agent = await scene.connect({ port: network.port });
  network.drop();
  await until(() => scene.server.agents.all().length === 0, { what: 'the agent to be gone' });
  expect(scene.log).toContainEqual({
    message: 'an agent has gone',
    fields: expect.objectContaining({ reason: 'Silent' }),
  });
  await agent[Symbol.asyncDispose]();
});

/** A network between agent and hub that can lose everything without a word. */
async function relay(port: number) {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    const onward = connectTcp({ host: '127.0.0.1', port });
    sockets.push(socket, onward);
    socket.on('error', () => {}).pipe(onward);
    onward.on('error', () => {}).pipe(socket);
  });
  return {
    port: await listenOnLoopback(server),
    drop() {
      for (const socket of sockets) socket.unpipe().pause();
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

test('a hub that shuts down refuses agents and ends every link', async () => {
  const scene = await linkScene();
  const agent = await scene.connect();
  scene.server.stopAccepting();
  await using late = await scene.connect({ token: agentToken({ node: 'node-2' }) });
  expect(late.welcome).toMatchObject({ kind: 'refused', reason: 'ShuttingDown' });
  expect(agent.isClosed()).toBe(false);
  await scene[Symbol.asyncDispose]();
  await until(() => agent.isClosed(), { what: 'the link to end' });
});

test('a new certificate is used for the next connection', async () => {
  await using scene = await linkScene();
  const next = await selfSigned();
  scene.server.setCertificate(next);
  await using agent = await scene.connect({ ca: next.cert });
  expect(agent.welcome.kind).toBe('welcome');
});
