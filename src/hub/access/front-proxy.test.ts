import { Agent, createServer, type RequestOptions, request } from 'node:https';
import { expect, onTestFinished, test } from 'vitest';
import {
  type Authority,
  authority,
  type Certificate,
  selfSigned,
} from '../../kubernetes/testing/certificate.ts';
import { listenOnLoopback } from '../../testbed/loopback-port.ts';
import { frontProxy, frontProxyTls, type IdentityRefusal } from './front-proxy.ts';
import { type FrontProxyTrust, readFrontProxyTrust } from './front-proxy-trust.ts';

/** `sameName` differs from `front` in its key alone: it has no key identifier by which the two could be told apart. */
const [front, other, sameName, identity] = await Promise.all([
  authority('front-proxy-ca'),
  authority('other-ca'),
  authority('front-proxy-ca', ['subjectKeyIdentifier=none']),
  selfSigned(),
]);
const name = 'front-proxy-client';
const proxy = await front.sign('client', { name });

function trustIn(
  authorities: readonly Authority[],
  allowedNames: readonly string[] = [name],
  clients?: Authority,
): FrontProxyTrust {
  const read = readFrontProxyTrust({
    'client-ca-file': clients?.cert ?? '',
    'requestheader-client-ca-file': authorities.map(({ cert }) => cert).join(''),
    'requestheader-allowed-names': JSON.stringify(allowedNames),
    'requestheader-username-headers': '["X-Remote-User"]',
    'requestheader-group-headers': '["X-Remote-Group"]',
  });
  if (read.kind === 'problem') throw new Error(read.message);
  return read;
}

/** A real HTTPS server that answers with whom it identified. */
async function identifyingServer(first: FrontProxyTrust) {
  let trust: FrontProxyTrust | undefined = first;
  const refusals: IdentityRefusal[] = [];
  const identify = frontProxy({ trust: () => trust, onRefusal: (reason) => refusals.push(reason) });
  const server = createServer({ ...identity, ...frontProxyTls, ca: first.ca }, (incoming, response) => {
    response.end(JSON.stringify(identify(incoming)));
  });
  const port = await listenOnLoopback(server);
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  return {
    port,
    refusals,
    /** As the hub does when the ConfigMap changes. */
    change(next: FrontProxyTrust | undefined) {
      if (next) server.setSecureContext({ ...identity, ca: next.ca });
      trust = next;
    },
  };
}

const remote = { 'x-remote-user': 'jane', 'x-remote-group': ['developers', 'testers'] };

async function ask(port: number, options: RequestOptions = {}): Promise<unknown> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const sent = request(
    { host: '127.0.0.1', port, ca: identity.cert, agent: false, headers: remote, ...options },
    (response) => {
      let text = '';
      response.on('data', (part) => (text += String(part))).on('end', () => resolve(text));
    },
  );
  sent.on('error', reject).end();
  return JSON.parse(await promise);
}

const unauthorized = { kind: 'error', code: 401, reason: 'Unauthorized' };

test('identifies the user for whom the API server asks', async () => {
  const { port, refusals } = await identifyingServer(trustIn([front]));
  expect(await ask(port, proxy)).toEqual({
    user: 'jane',
    uid: '',
    groups: ['developers', 'testers'],
    extra: {},
    from: '',
  });
  expect(refusals).toEqual([]);
});

const strangers: readonly (readonly [string, IdentityRefusal, () => Promise<Partial<Certificate>>])[] = [
  ['no certificate', 'NoClientCertificate', () => Promise.resolve({})],
  ['another signer', 'UntrustedClientCertificate', () => other.sign('client', { name })],
  ['another signer of the same name', 'UntrustedClientCertificate', () => sameName.sign('client', { name })],
  ['its own signer', 'UntrustedClientCertificate', () => selfSigned()],
  ['another name', 'ClientNameNotAllowed', () => front.sign('client', { name: 'metrics-server' })],
  ['a longer name', 'ClientNameNotAllowed', () => front.sign('client', { name: `${name}.example` })],
  ['two names', 'ClientNameNotAllowed', () => front.sign('client', { name: `other/CN=${name}` })],
  ['a certificate for servers', 'UntrustedClientCertificate', () => front.sign('server', { name })],
  ['an expired certificate', 'UntrustedClientCertificate', () => front.sign('client', { name, days: -1 })],
];

test.for(strangers)('headers count for nothing with %s: %s', async ([, reason, certificate]) => {
  const { port, refusals } = await identifyingServer(trustIn([front]));
  expect(await ask(port, await certificate())).toMatchObject(unauthorized);
  expect(refusals).toEqual([reason]);
});

test('a chain that the client sends does not make its signer trusted', async () => {
  const { port } = await identifyingServer(trustIn([front]));
  const { cert, key } = await sameName.sign('client', { name });
  expect(await ask(port, { cert: cert + sameName.cert + front.cert, key })).toMatchObject(unauthorized);
});

test('an authority below a trusted one counts if it is configured, and not if the client sends it', async () => {
  const below = await front.delegate('front-proxy-issuer');
  const { cert, key } = await below.sign('client', { name });
  const sent = { cert: cert + below.cert, key };
  const without = await identifyingServer(trustIn([front]));
  expect(await ask(without.port, sent)).toMatchObject(unauthorized);
  const configured = await identifyingServer(trustIn([front, below]));
  expect(await ask(configured.port, sent)).toMatchObject({ user: 'jane' });
  expect(await ask(configured.port, proxy)).toMatchObject({ user: 'jane' });
});

test('if no name is listed, clients of an authority below the trusted one speak for nobody', async () => {
  const clients = await front.delegate('client-ca');
  const { port } = await identifyingServer(trustIn([front], [], clients));
  const { cert, key } = await clients.sign('client', { name: 'mallory' });
  expect(await ask(port, { cert: cert + clients.cert, key })).toMatchObject(unauthorized);
});

test('without a user, identifies nobody', async () => {
  const { port, refusals } = await identifyingServer(trustIn([front]));
  const headers = { 'x-remote-group': 'system:masters' };
  expect(await ask(port, { ...proxy, headers })).toMatchObject(unauthorized);
  expect(refusals).toEqual(['NoUser']);
});

test('accepts every name if none is listed', async () => {
  const { port } = await identifyingServer(trustIn([front], []));
  expect(await ask(port, await front.sign('client', { name: 'any' }))).toMatchObject({ user: 'jane' });
});

test('follows a new authority', async () => {
  const server = await identifyingServer(trustIn([front]));
  const renewed = await other.sign('client', { name });
  expect(await ask(server.port, renewed)).toMatchObject(unauthorized);
  server.change(trustIn([front, other]));
  expect(await ask(server.port, renewed)).toMatchObject({ user: 'jane' });
});

test.for([
  ['its authority is removed', trustIn([other])],
  ['its authority is replaced by one of the same name', trustIn([sameName])],
  ['its name is removed', trustIn([front], ['another'])],
  ['nothing usable is configured', undefined],
] as const)('an open connection identifies nobody any more when %s', async ([, next]) => {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  onTestFinished(() => agent.destroy());
  const server = await identifyingServer(trustIn([front]));
  expect(await ask(server.port, { ...proxy, agent })).toMatchObject({ user: 'jane' });
  server.change(next);
  expect(await ask(server.port, { ...proxy, agent })).toMatchObject(unauthorized);
});

test('an open connection stays trusted when an authority is added', async () => {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  onTestFinished(() => agent.destroy());
  const server = await identifyingServer(trustIn([front]));
  expect(await ask(server.port, { ...proxy, agent })).toMatchObject({ user: 'jane' });
  server.change(trustIn([other, front]));
  expect(await ask(server.port, { ...proxy, agent })).toMatchObject({ user: 'jane' });
});
