import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { bearerToken } from './bearer-token.ts';
import { kubeconfigConfig, serviceAccountConfig } from './client-config.ts';

test.each([
  { host: '10.96.0.1', port: '443', server: 'https://10.96.0.1/' },
  { host: 'fd00::1', port: '6443', server: 'https://[fd00::1]:6443/' },
  { host: 'kubernetes.default', port: '6443', server: 'https://kubernetes.default:6443/' },
])('finds the API server at $host from inside a Pod', async ({ host, port, server }) => {
  await using account = await temporaryFolder();
  await writeFile(join(account.folder, 'ca.crt'), 'the CA');
  const env = { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port };
  expect(await serviceAccountConfig({ env, folder: account.folder })).toEqual({
    server: new URL(server),
    ca: 'the CA',
    credentials: { kind: 'token-file', path: join(account.folder, 'token') },
  });
});

test('fails outside a cluster', async () => {
  await expect(serviceAccountConfig({ env: {} })).rejects.toThrow('not in a cluster');
});

test('fails in a Pod without a service account', async () => {
  const env = { KUBERNETES_SERVICE_HOST: '10.96.0.1', KUBERNETES_SERVICE_PORT: '443' };
  await expect(serviceAccountConfig({ env, folder: '/nonexistent' })).rejects.toThrow('no service account');
});

const base64 = (text: string) => Buffer.from(text).toString('base64');

test.each([
  {
    name: 'a client certificate',
    user: { 'client-certificate-data': base64('CERT'), 'client-key-data': base64('KEY') },
    credentials: { kind: 'client-certificate', cert: 'CERT', key: 'KEY' },
  },
  { name: 'a token', user: { token: 'secret' }, credentials: { kind: 'token', token: 'secret' } },
  { name: 'a token file', user: { tokenFile: '/t' }, credentials: { kind: 'token-file', path: '/t' } },
])('takes $name from the current context of a kubeconfig', ({ user, credentials }) => {
  expect(kubeconfigConfig(kubeconfig(user))).toEqual({
    server: new URL('https://127.0.0.1:6443'),
    ca: 'CA',
    credentials,
  });
});

test('reports what a kubeconfig lacks', () => {
  expect(() => kubeconfigConfig(kubeconfig({ exec: { command: 'login' } }))).toThrow('neither a token nor');
});

test('reads a token file again after ten seconds or after a refusal, and no sooner', async () => {
  await using temporary = await temporaryFolder();
  const path = join(temporary.folder, 'token');
  let now = 0;
  const token = bearerToken({ kind: 'token-file', path }, () => now);
  await writeFile(path, 'one\n');
  expect(await token.read()).toBe('one');
  await writeFile(path, 'two\n');
  now = 9_999;
  expect(await token.read()).toBe('one');
  now = 10_000;
  expect(await token.read()).toBe('two');
  await writeFile(path, 'three\n');
  token.expire();
  expect(await token.read()).toBe('three');
});

test.each([
  { name: 'missing', damage: (path: string) => rm(path) },
  { name: 'empty', damage: (path: string) => writeFile(path, '') },
])('keeps the last token while the file is $name', async ({ damage }) => {
  await using temporary = await temporaryFolder();
  const path = join(temporary.folder, 'token');
  const token = bearerToken({ kind: 'token-file', path });
  await writeFile(path, 'one');
  await token.read();
  await damage(path);
  token.expire();
  expect(await token.read()).toBe('one');
});

function kubeconfig(user: object): string {
  return JSON.stringify({
    'current-context': 'this',
    contexts: [
      { name: 'other', context: { cluster: 'other', user: 'other' } },
      { name: 'this', context: { cluster: 'c', user: 'u' } },
    ],
    clusters: [
      { name: 'other', cluster: { server: 'https://other.example' } },
      {
        name: 'c',
        cluster: { server: 'https://127.0.0.1:6443', 'certificate-authority-data': base64('CA') },
      },
    ],
    users: [
      { name: 'other', user: { token: 'other' } },
      { name: 'u', user },
    ],
  });
}

async function temporaryFolder() {
  const folder = await mkdtemp(join(tmpdir(), 'podcap-config-'));
  return { folder, [Symbol.asyncDispose]: () => rm(folder, { recursive: true }) };
}
