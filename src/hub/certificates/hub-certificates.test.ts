import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { connect, createServer } from 'node:tls';
import { expect, test } from 'vitest';
import { kubernetesClient } from '../../kubernetes/client.ts';
import { type ApiServer, apiServer, refusal } from '../../kubernetes/testing/api-server.ts';
import { memoryLog } from '../../kubernetes/testing/memory-logger.ts';
import { listenOnLoopback } from '../../testbed/loopback-port.ts';
import { type HubIdentity, hubCertificates } from './hub-certificates.ts';
import { authorityTimes } from './signing-authorities.ts';

const secretPath = '/api/v1/namespaces/kube-system/secrets/podcap-hub';
const configMapPath = '/api/v1/namespaces/kube-system/configmaps/podcap-hub-ca';
const dayMs = 86_400_000;
const startMs = Date.now();

test('fills the empty Secret and ConfigMap, and presents a certificate that the ConfigMap verifies', async () => {
  await using server = await apiServer();
  ship(server);
  const identity = await replica(server).refresh();
  expect(await verifies(identity, published(server))).toBe('podcap-hub.kube-system.svc');
  const certificate = new X509Certificate(identity.server.cert);
  expect(certificate.subjectAltName).toBe('DNS:podcap-hub.kube-system.svc');
  expect(certificate.keyUsage).toEqual(['1.3.6.1.5.5.7.3.1']);
});

test('of two replicas that start together, both present what one of them has written', async () => {
  await using server = await apiServer();
  ship(server);
  const identities = await Promise.all([replica(server).refresh(), replica(server).refresh()]);
  for (const identity of identities) {
    expect(identity.bundle).toBe(published(server));
    expect(await verifies(identity, published(server))).toBe('podcap-hub.kube-system.svc');
  }
});

test('a replica that starts again uses the authority of the Secret', async () => {
  await using server = await apiServer();
  ship(server);
  const before = await replica(server).refresh();
  const writes = () => server.requests.filter(({ method }) => method !== 'GET').length;
  const written = writes();
  const after = await replica(server).refresh();
  expect(after.bundle).toBe(before.bundle);
  expect(writes()).toBe(written);
});

test('a replica that looks again presents the same certificate, and a new one after 60 days', async () => {
  await using server = await apiServer();
  ship(server);
  let nowMs = startMs;
  const certificates = replica(server, () => nowMs);
  const first = await certificates.refresh();
  nowMs += 59 * dayMs;
  expect((await certificates.refresh()).server).toEqual(first.server);
  nowMs += 2 * dayMs;
  const renewed = await certificates.refresh();
  expect(renewed.server.cert).not.toBe(first.server.cert);
  expect(renewed.bundle).toBe(first.bundle);
});

test('the next authority is published a day before it signs, and both are trusted for another day', async () => {
  await using server = await apiServer();
  ship(server);
  // So that the last of these days is today's.
  let nowMs = startMs - 368 * dayMs;
  const certificates = replica(server, () => nowMs);
  const old = await certificates.refresh();
  nowMs += authorityTimes.replacedAfterMs;
  const announced = await certificates.refresh();
  expect(count(announced.bundle)).toBe(2);
  expect(await verifies(announced, old.bundle)).toBe('podcap-hub.kube-system.svc');
  nowMs += authorityTimes.overlapMs;
  const signedAnew = await certificates.refresh();
  expect(await verifies(signedAnew, announced.bundle)).toBe('podcap-hub.kube-system.svc');
  expect(await verifies(signedAnew, old.bundle)).toMatch(/unable to verify|unable to get local issuer/);
  nowMs += authorityTimes.overlapMs;
  expect(count((await certificates.refresh()).bundle)).toBe(1);
  expect(await verifies(signedAnew, published(server))).toBe('podcap-hub.kube-system.svc');
});

test.each([
  ['text', { 'ca.crt': base64('hello'), 'ca.key': base64('hello') }],
  ['no base64', { 'ca.crt': '*'.repeat(40) }],
  ['too much', { 'ca.crt': 'QUFB'.repeat(40_000) }],
  ['a certificate without a key', { 'ca.crt': base64(pem('CERTIFICATE')), 'ca.key': '' }],
  ['damaged PEM', { 'ca.crt': base64(pem('CERTIFICATE')), 'ca.key': base64(pem('PRIVATE KEY')) }],
])('a Secret with %s is replaced, with a line in the log', async (_what, data) => {
  await using server = await apiServer();
  ship(server, data);
  const log = memoryLog();
  const identity = await replica(server, () => startMs, log).refresh();
  expect(await verifies(identity, published(server))).toBe('podcap-hub.kube-system.svc');
  expect(log.lines.map(({ message }) => message)).toContain('replacing the content of the Secret');
});

test("a Secret whose key is another authority's is replaced", async () => {
  await using one = await apiServer();
  await using other = await apiServer();
  for (const server of [one, other]) {
    ship(server);
    await replica(server).refresh();
  }
  const mixed = { ...dataOf(one, secretPath), 'ca.key': dataOf(other, secretPath)['ca.key'] ?? '' };
  ship(one, mixed);
  const log = memoryLog();
  await replica(one, () => startMs, log).refresh();
  expect(log.lines[0]?.fields).toMatchObject({ problem: 'a key in it is not that of its certificate' });
});

test('a changed ConfigMap is set right', async () => {
  await using server = await apiServer();
  ship(server);
  const { bundle } = await replica(server).refresh();
  server.objects.set(configMapPath, { metadata: { resourceVersion: '9' }, data: { 'ca.crt': 'mine' } });
  await replica(server).refresh();
  expect(published(server)).toBe(bundle);
});

test('a missing Secret is an error, and the next look finds what exists by then', async () => {
  await using server = await apiServer();
  ship(server);
  server.script.read.push(refusal(404, 'NotFound'));
  const certificates = replica(server);
  await expect(certificates.refresh()).rejects.toMatchObject({ status: 404 });
  expect(count((await certificates.refresh()).bundle)).toBe(1);
});

function replica(server: ApiServer, unixMs = () => startMs, log = memoryLog()) {
  const client = kubernetesClient(server.config);
  const certificates = hubCertificates({
    client,
    namespace: 'kube-system',
    name: 'podcap-hub',
    unixMs,
    log,
  });
  return {
    /** What the hub does again and again. */
    async refresh() {
      const identity = await certificates.refresh();
      await certificates.publish(identity);
      return identity;
    },
  };
}

/** The objects as the chart ships them, or with that content. */
function ship(server: ApiServer, data?: Readonly<Record<string, string>>): void {
  const object = { apiVersion: 'v1', kind: 'Secret', type: 'Opaque', metadata: { resourceVersion: '1' } };
  server.objects.set(secretPath, { ...object, ...(data && { data }) });
  server.objects.set(configMapPath, {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { resourceVersion: '1' },
  });
}

function dataOf(server: ApiServer, path: string): Readonly<Record<string, string>> {
  const object: { readonly data?: Readonly<Record<string, string>> } = server.objects.get(path) ?? {};
  return object.data ?? {};
}

function published(server: ApiServer): string {
  return dataOf(server, configMapPath)['ca.crt'] ?? '';
}

function count(bundle: string): number {
  return bundle.split('BEGIN CERTIFICATE').length - 1;
}

/** A real handshake of a client that knows this bundle: the name that it verified, or why it refused. */
async function verifies({ server: { cert, key } }: HubIdentity, ca: string): Promise<string> {
  const servername = 'podcap-hub.kube-system.svc';
  const server = createServer({ cert, key }, (socket) => socket.on('error', () => {}).end());
  server.on('tlsClientError', () => {});
  const port = await listenOnLoopback(server);
  try {
    const socket = connect({ host: '127.0.0.1', port, ca, servername });
    return await Promise.race([
      once(socket, 'secureConnect').then(() => servername),
      new Promise<string>((resolve) => socket.once('error', ({ message }) => resolve(message))),
    ]);
  } finally {
    server.close();
  }
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64');
}

function pem(label: string): string {
  return `-----BEGIN ${label}-----\nAAAA\n-----END ${label}-----\n`;
}
