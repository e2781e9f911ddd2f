import { once } from 'node:events';
import { createServer, type TLSSocket } from 'node:tls';
import { expect, onTestFinished, test } from 'vitest';
import { happens, until } from '../../base/until.ts';
import { authority } from '../../kubernetes/testing/certificate.ts';
import { linkProtocol } from '../../link/protocol.ts';
import { listenOnLoopback } from '../../testbed/loopback-port.ts';
import type { LinkHandler } from './link-handler.ts';
import { hubScene, hubServerName, startTestLinks } from './testing/hub-scene.ts';
import { stallingProxy } from './testing/stalling-proxy.ts';
import type { TestHub } from './testing/test-hub.ts';

const linked = (hub: TestHub) => hub.links.filter((link) => !link.isClosed()).length;
const toBeLinked = { what: 'a link to the hub' };

test('an agent dials every replica, and says who it is', async () => {
  await using scene = await hubScene();
  const [one, two] = [await scene.startHub(), await scene.startHub()];
  scene.list(one, two);
  await using links = startTestLinks(scene);
  expect((await one.link()).hello).toEqual({ token: 'first', version: 'agent-1' });
  expect((await two.link()).hello).toEqual({ token: 'first', version: 'agent-1' });
  await until(() => links.counts().connected === 2, toBeLinked);
  expect(links.counts().hubs).toBe(2);
  expect(scene.slices.queries[0]).toMatchObject({
    labelSelector: 'kubernetes.io/service-name=podcap-hub-link',
  });
  expect(scene.configMaps.queries[0]).toMatchObject({ fieldSelector: 'metadata.name=podcap-hub-ca' });
});

test('a replica that comes later is dialled, and a link to one that is gone ends', async () => {
  await using scene = await hubScene();
  const [one, two] = [await scene.startHub(), await scene.startHub()];
  scene.list(one);
  await using links = startTestLinks(scene);
  const first = await one.link();
  scene.list(one, two);
  await two.link();
  scene.list(two);
  await until(() => first.isClosed(), { what: 'the link to end' });
  await until(() => links.counts().hubs === 1, { what: 'the replica to be forgotten' });
  expect(linked(two)).toBe(1);
  expect(links.counts().failures.size).toBe(0);
});

test('a replica that is being deleted keeps its link, and is not dialled again', async () => {
  await using scene = await hubScene();
  const hub = await scene.startHub();
  scene.list(hub);
  await using links = startTestLinks(scene);
  const link = await hub.link();
  scene.list({ port: hub.port, isTerminating: true });
  expect(await happens(() => link.isClosed(), { withinMs: 200 })).toBe(false);
  link.socket.destroy();
  await until(() => links.counts().connected === 0, { what: 'the link to end' });
  // That is no failure.
  expect(links.counts().failures.size).toBe(0);
  expect(await happens(() => hub.links.length > 1, { withinMs: 300 })).toBe(false);
});

test('a hub that goes and comes is dialled again', async () => {
  await using scene = await hubScene();
  const before = await scene.startHub();
  scene.list(before);
  await using links = startTestLinks(scene);
  await before.link();
  const { port } = before;
  await before[Symbol.asyncDispose]();
  await until(() => (links.counts().failures.get('Unreachable') ?? 0) > 1, { what: 'attempts that fail' });
  const after = await scene.startHub({ port });
  await after.link();
  await until(() => links.counts().connected === 1, toBeLinked);
  // Once for all attempts that failed alike.
  expect(
    links.lines.filter(({ fields }) => 'reason' in fields && fields.reason === 'Unreachable'),
  ).toHaveLength(1);
});

test('a hub whose certificate is of another authority or name is not trusted', async () => {
  await using scene = await hubScene();
  const stranger = await authority('podcap-hub');
  const [otherAuthority, otherName] = [
    await scene.startHub({ certificate: await stranger.sign('server', { dnsName: hubServerName }) }),
    await scene.startHub({ certificate: await scene.authority.sign('server', { dnsName: 'other' }) }),
  ];
  scene.list(otherAuthority, otherName);
  await using links = startTestLinks(scene);
  await until(() => (links.counts().failures.get('Untrusted') ?? 0) > 4, { what: 'both to be dialled' });
  expect([...links.counts().failures.keys()]).toEqual(['Untrusted']);
  expect([otherAuthority.links, otherName.links]).toEqual([[], []]);
});

test('when the authority changes with an overlap, the link stays; without one, it ends', async () => {
  await using scene = await hubScene();
  const next = await authority('podcap-hub');
  const hub = await scene.startHub();
  scene.list(hub);
  await using links = startTestLinks(scene);
  const link = await hub.link();
  await until(() => links.counts().connected === 1, toBeLinked);
  scene.trust(scene.authority, next);
  expect(await happens(() => link.isClosed(), { withinMs: 200 })).toBe(false);
  scene.trust(next);
  await until(() => link.isClosed(), { what: 'the link to end' });
  await until(() => (links.counts().failures.get('Untrusted') ?? 0) > 0, { what: 'it to be dialled' });
  scene.trust(scene.authority, next);
  await hub.link();
});

test('a handshake that began with an earlier authority makes no link', async () => {
  await using scene = await hubScene();
  const next = await authority('podcap-hub');
  const certificate = await scene.authority.sign('server', { dnsName: hubServerName });
  const waiting: TLSSocket[] = [];
  // It answers no hello.
  const server = createServer({ ...certificate, ALPNProtocols: [linkProtocol] }, (socket) => {
    waiting.push(socket.on('error', () => {}).resume());
  });
  onTestFinished(() => void server.close());
  scene.list({ port: await listenOnLoopback(server) });
  await using links = startTestLinks(scene);
  const first = await until(() => waiting[0], { what: 'the agent to connect' });
  scene.trust(next);
  await until(() => first.destroyed, { what: 'the connection to end' });
  await until(() => links.counts().failures.has('Untrusted'), { what: 'it to be dialled again' });
  expect([...links.counts().failures.keys()]).toEqual(['Untrusted']);
});

test('nothing is dialled before the authority is known, and at once when it is', async () => {
  await using scene = await hubScene();
  scene.configMaps.apply('podcap-hub-ca', { data: {} });
  const hub = await scene.startHub();
  scene.list(hub);
  await using links = startTestLinks(scene, { backoff: { minMs: 60_000, maxMs: 60_000 } });
  await until(() => links.counts().hubs === 1, { what: 'the replica to be listed' });
  expect(await happens(() => links.counts().connected > 0, { withinMs: 200 })).toBe(false);
  scene.trust(scene.authority);
  await hub.link();
  expect(links.counts().failures.size).toBe(0);
});

test('a hub that refuses is asked again, and its reason is logged', async () => {
  await using scene = await hubScene();
  const hub = await scene.startHub();
  hub.answer({ kind: 'refused', reason: 'WrongAudience', message: 'the token is for another' });
  scene.list(hub);
  await using links = startTestLinks(scene);
  await until(() => (links.counts().failures.get('Refused') ?? 0) > 1, { what: 'refusals' });
  expect(links.lines).toContainEqual({
    message: 'no link to a hub',
    fields: expect.objectContaining({
      reason: 'Refused',
      message: 'WrongAudience: the token is for another',
    }),
  });
  hub.answer({ kind: 'welcome', version: 'test' });
  await hub.link();
});

test('what speaks another protocol is no hub', async () => {
  await using scene = await hubScene();
  const other = await scene.startHub({ alpn: 'h2' });
  scene.list(other);
  await using links = startTestLinks(scene);
  await until(() => (links.counts().failures.get('Protocol') ?? 0) > 0, { what: 'a failure' });
  expect(other.links).toEqual([]);
});

test('a hub that asks for it gets the token as it is by now', async () => {
  await using scene = await hubScene();
  const hub = await scene.startHub();
  scene.list(hub);
  let nowMs = 0;
  await using _links = startTestLinks(scene, { nowMs: () => nowMs });
  const link = await hub.link();
  expect(await link.ask('/v1/token')).toEqual({ status: 200, text: 'first' });
  await scene.setToken('second');
  nowMs += 10_000;
  expect(await link.ask('/v1/token')).toEqual({ status: 200, text: 'second' });
});

test('without a token the hub is not dialled, and the reason is counted', async () => {
  await using scene = await hubScene();
  const hub = await scene.startHub();
  scene.list(hub);
  await using links = startTestLinks(scene, { tokenFile: '/nowhere/token' });
  await until(() => (links.counts().failures.get('NoToken') ?? 0) > 1, { what: 'failures' });
  expect(hub.links).toEqual([]);
});

test('what fails in a way that nobody has foreseen is tried again', async () => {
  await using scene = await hubScene();
  scene.list({ port: 70_000 });
  await using links = startTestLinks(scene);
  await until(() => (links.counts().failures.get('Protocol') ?? 0) > 1, { what: 'failures' });
  expect(links.lines).toContainEqual(
    expect.objectContaining({
      fields: expect.objectContaining({ message: expect.stringContaining('70000') }),
    }),
  );
});

test('an unknown path and an unknown method are refused with a reason', async () => {
  await using scene = await hubScene();
  const hub = await scene.startHub();
  scene.list(hub);
  await using _links = startTestLinks(scene);
  const link = await hub.link();
  const unknown = await link.ask('/v1/other?x=1');
  expect({ ...unknown, text: JSON.parse(unknown.text) }).toEqual({
    status: 404,
    text: { reason: 'UnknownPath', message: 'this agent does not know /v1/other' },
  });
  expect((await link.ask('/v1/token', 'DELETE')).status).toBe(405);
});

test('a handler gets the query, and learns of a reader that goes away; its failure is no end', async () => {
  await using scene = await hubScene();
  const hub = await scene.startHub();
  scene.list(hub);
  const gone = Promise.withResolvers<void>();
  const waits: LinkHandler = async ({ stream, query, signal }) => {
    stream.respond({ ':status': 200 });
    stream.write(query.get('uid') ?? '');
    await once(signal, 'abort');
    gone.resolve();
  };
  const failsLate: LinkHandler = async ({ stream }) => {
    stream.respond({ ':status': 200 });
    stream.write('half');
    throw new Error('by the test');
  };
  const failsEarly: LinkHandler = async () => {
    throw new Error('by the test');
  };
  const methods = ['GET'];
  const routes = new Map([
    ['/v1/recording', { methods, handle: waits }],
    ['/v1/tap', { methods, handle: failsLate }],
    ['/v1/other', { methods, handle: failsEarly }],
  ]);
  await using _links = startTestLinks(scene, { routes });
  const link = await hub.link();
  const reader = link.open('/v1/recording?uid=a%20b');
  const [data] = await once(reader, 'data');
  expect(String(data)).toBe('a b');
  reader.close();
  await gone.promise;
  await expect(link.ask('/v1/tap')).rejects.toThrow('NGHTTP2_INTERNAL_ERROR');
  expect((await link.ask('/v1/other')).status).toBe(500);
});

test('a hub that stops answering is dialled again', async () => {
  await using scene = await hubScene();
  const hub = await scene.startHub();
  await using proxy = await stallingProxy(hub.port);
  scene.list(proxy);
  await using links = startTestLinks(scene, { ping: { everyMs: 20, deadAfterMs: 200 } });
  const first = await hub.link();
  expect(await happens(() => first.isClosed(), { withinMs: 500 })).toBe(false);
  proxy.stall();
  await until(() => (links.counts().failures.get('Silent') ?? 0) > 0, { what: 'the silence to be noticed' });
  await until(() => hub.links.length > 1, { what: 'another link' });
});

test('a hub that says goodbye and never hangs up delays no end', async () => {
  await using scene = await hubScene();
  const hub = await scene.startHub();
  await using proxy = await stallingProxy(hub.port);
  scene.list(proxy);
  const handle: LinkHandler = async ({ stream, signal }) => {
    stream.respond({ ':status': 200 });
    await once(signal, 'abort');
  };
  const routes = new Map([['/v1/tap', { methods: ['GET'], handle }]]);
  const links = startTestLinks(scene, { routes });
  const link = await hub.link();
  await once(link.open('/v1/tap'), 'response');
  link.session.goaway(0);
  // It has arrived once a later question is refused.
  await expect(link.ask('/v1/token')).rejects.toThrow('REFUSED_STREAM');
  proxy.stall();
  await links[Symbol.asyncDispose]();
  expect(links.counts().connected).toBe(0);
});

test('what is disposed of leaves no link, no watch and no answer behind', async () => {
  await using scene = await hubScene();
  const hub = await scene.startHub();
  scene.list(hub);
  let isAnswering = false;
  const handle: LinkHandler = async ({ stream, signal }) => {
    isAnswering = true;
    stream.respond({ ':status': 200 });
    await once(signal, 'abort');
    isAnswering = false;
  };
  const links = startTestLinks(scene, { routes: new Map([['/v1/tap', { methods: ['GET'], handle }]]) });
  const link = await hub.link();
  link.open('/v1/tap');
  await until(() => isAnswering, { what: 'the answer to begin' });
  await links[Symbol.asyncDispose]();
  expect(isAnswering).toBe(false);
  await until(() => link.isClosed(), { what: 'the link to end' });
  await until(() => scene.slices.watches() + scene.configMaps.watches() === 0, {
    what: 'the watches to end',
  });
});
