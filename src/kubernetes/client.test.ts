import { getEventListeners, once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { until } from '../base/until.ts';
import { listenOnLoopback } from '../testbed/loopback-port.ts';
import { ApiError } from './api-error.ts';
import { kubernetesClient } from './client.ts';
import type { ClientLimits } from './client-limits.ts';
import { apiServer, refusal, type ScriptedAnswer } from './testing/api-server.ts';
import { selfSigned } from './testing/certificate.ts';

const path = '/api/v1/namespaces/default/pods/web';

test.each<{ name: string; answer: ScriptedAnswer; limits?: Partial<ClientLimits>; error: object }>([
  {
    name: 'a Pod that does not exist',
    answer: refusal(404, 'NotFound'),
    error: { status: 404, reason: 'NotFound' },
  },
  { name: 'a conflict', answer: refusal(409, 'Conflict'), error: { status: 409, reason: 'Conflict' } },
  {
    name: 'an expired version',
    answer: refusal(410, 'Expired'),
    error: { status: 410, reason: 'Expired' },
  },
  {
    name: 'a busy server',
    answer: refusal(429, 'TooManyRequests', { 'retry-after': '3' }),
    error: { status: 429, reason: 'TooManyRequests', retryAfterMs: 3_000 },
  },
  {
    name: 'a proxy that answers with text',
    answer: { kind: 'json', status: 502, body: 'Bad Gateway' },
    error: { status: 502, reason: 'Unknown' },
  },
  {
    name: 'a redirect',
    answer: { kind: 'json', status: 302, body: {}, headers: { location: 'https://elsewhere.example' } },
    error: { status: 302 },
  },
  {
    name: 'a cut connection',
    answer: { kind: 'cut' },
    error: { status: undefined, reason: 'Unreachable' },
  },
  {
    name: 'a response that never arrives',
    answer: { kind: 'silence' },
    limits: { deadlineMs: 50 },
    error: { status: undefined, reason: 'DeadlineExceeded' },
  },
  {
    name: 'a response that is too large',
    answer: { kind: 'json', body: 'x'.repeat(1_001) },
    limits: { answerBytes: 1_000 },
    error: { reason: 'TooLarge' },
  },
  {
    name: 'a response that is too large once decompressed',
    answer: { kind: 'gzip', body: 'x'.repeat(1_000_000) },
    limits: { answerBytes: 100_000 },
    error: { reason: 'TooLarge' },
  },
])('throws an ApiError for $name', async ({ answer, limits, error }) => {
  await using server = await apiServer();
  await using client = kubernetesClient(server.config, limits);
  server.script.read.push(answer);
  const thrown = await failure(client.get({ path }));
  expect(thrown).toMatchObject({ method: 'GET', path, ...error });
  expect(thrown.message).toContain(`GET ${path}: `);
});

test('reads compressed responses', async () => {
  await using server = await apiServer();
  await using client = kubernetesClient(server.config);
  server.script.read.push({ kind: 'gzip', body: { kind: 'Pod', padding: 'x'.repeat(200_000) } });
  expect(await client.get({ path })).toMatchObject({ kind: 'Pod' });
});

test('sends bodies as JSON and patches as a merge patch', async () => {
  await using server = await apiServer();
  await using client = kubernetesClient(server.config);
  await client.create({ path, body: { name: 'ü' } });
  await client.patch({ path, body: { count: 2 } });
  expect(server.requests).toMatchObject([
    { method: 'POST', contentType: 'application/json', body: { name: 'ü' } },
    { method: 'PATCH', contentType: 'application/merge-patch+json', body: { count: 2 } },
  ]);
});

test('replaces, applies and deletes objects', async () => {
  await using server = await apiServer();
  await using client = kubernetesClient(server.config);
  await client.update({ path, body: { metadata: { resourceVersion: '7' } } });
  await client.apply({ path, body: { kind: 'Pod' }, fieldManager: 'podcap' });
  await client.delete({ path });
  expect(server.requests).toMatchObject([
    { method: 'PUT', path, contentType: 'application/json', body: { metadata: { resourceVersion: '7' } } },
    {
      method: 'PATCH',
      path,
      contentType: 'application/apply-patch+yaml',
      query: { fieldManager: 'podcap', force: 'true' },
      body: { kind: 'Pod' },
    },
    { method: 'DELETE', path, body: undefined },
  ]);
});

test('keeps the path of the server URL, and omits undefined values from the query', async () => {
  await using server = await apiServer();
  const config = { ...server.config, server: new URL('/clusters/one/', server.config.server) };
  await using client = kubernetesClient(config);
  await client.get({ path, query: { fieldSelector: 'a=b,c=d', limit: undefined } });
  expect(server.requests[0]?.path).toBe(`/clusters/one${path}`);
  expect(server.requests[0]?.query).toEqual({ fieldSelector: 'a=b,c=d' });
});

test('refuses a server whose certificate another authority signed', async () => {
  await using server = await apiServer();
  const { cert } = await selfSigned();
  await using client = kubernetesClient({ ...server.config, ca: cert });
  expect((await failure(client.get({ path }))).reason).toBe('Unreachable');
  expect(server.requests).toHaveLength(0);
});

test('gives up on a host that accepts the connection and never answers', { repeats: 4 }, async () => {
  await using server = await apiServer();
  await using silent = await silentHost();
  await using client = kubernetesClient({ ...server.config, server: silent.url }, { connectMs: 10 });
  const stream = client.stream({ path, responseMs: 60_000, idleMs: 60_000 });
  expect(await failure(stream)).toMatchObject({
    reason: 'Unreachable',
    message: expect.stringContaining('no connection within 10 ms'),
  });
});

test('retries a read when its kept connection turns out to be dead', async () => {
  await using server = await apiServer();
  await using client = kubernetesClient(server.config);
  await client.get({ path });
  server.script.read.push({ kind: 'cut' });
  await client.get({ path });
  expect(server.requests).toHaveLength(3);
});

test('does not write twice when its kept connection turns out to be dead', async () => {
  await using server = await apiServer();
  await using client = kubernetesClient(server.config);
  await client.get({ path });
  server.script.write.push({ kind: 'cut' });
  expect((await failure(client.create({ path, body: {} }))).reason).toBe('StaleConnection');
  expect(server.requests).toHaveLength(2);
});

test('stops when the signal aborts, and leaves no listener on it', async () => {
  await using server = await apiServer();
  await using client = kubernetesClient(server.config);
  const { signal, ...stop } = abortable();
  await client.get({ path, signal });
  server.script.read.push({ kind: 'silence' });
  const silent = failure(client.get({ path, signal }));
  await until(() => server.requests.length === 2, { what: 'the request' });
  stop.abort();
  expect((await silent).reason).toBe('Aborted');
  expect((await failure(client.get({ path, signal }))).reason).toBe('Aborted');
  expect(getEventListeners(signal, 'abort')).toHaveLength(0);
});

test('sends the rotated token when the old one is refused', async () => {
  await using token = await tokenFile('first\n');
  await using server = await apiServer({ kind: 'token-file', path: token.path });
  await using client = kubernetesClient(server.config);
  await client.get({ path });
  await token.write('second\n');
  server.accept('second');
  await client.get({ path });
  expect(server.requests.map(({ authorization }) => authorization)).toEqual([
    'Bearer first',
    'Bearer first',
    'Bearer second',
  ]);
});

test('passes on a 401 when the token file has no newer token', async () => {
  await using token = await tokenFile('first');
  await using server = await apiServer({ kind: 'token-file', path: token.path });
  await using client = kubernetesClient(server.config);
  server.accept('second');
  expect(await failure(client.get({ path }))).toMatchObject({ status: 401 });
  expect(server.requests).toHaveLength(1);
});

test('throws an ApiError when no token can be read', async () => {
  await using server = await apiServer({ kind: 'token-file', path: '/nonexistent/token' });
  await using client = kubernetesClient(server.config);
  expect((await failure(client.get({ path }))).reason).toBe('TokenUnreadable');
});

test.each([
  { name: 'a control character', text: 'fir\x00st' },
  { name: 'two lines', text: 'first\nsecond' },
  { name: 'a character beyond ASCII', text: 'first…' },
])('throws an ApiError for a token with $name, until the file has a valid one', async ({ text }) => {
  await using token = await tokenFile(text);
  await using server = await apiServer({ kind: 'token-file', path: token.path });
  await using client = kubernetesClient(server.config);
  const thrown = await failure(client.get({ path }));
  expect(thrown).toMatchObject({ reason: 'TokenUnreadable', status: undefined });
  expect(thrown.message).not.toContain('first');
  const stream = client.stream({ path, responseMs: 60_000, idleMs: 60_000 });
  expect((await failure(stream)).reason).toBe('TokenUnreadable');
  await token.write('third');
  await client.get({ path });
  expect(server.requests.map(({ authorization }) => authorization)).toEqual(['Bearer third']);
});

test('uses the last token while the file has no valid one', async () => {
  await using token = await tokenFile('first');
  await using server = await apiServer({ kind: 'token-file', path: token.path });
  await using client = kubernetesClient(server.config);
  await client.get({ path });
  await token.write('sec\x00ond');
  server.accept('second');
  expect(await failure(client.get({ path }))).toMatchObject({ status: 401 });
});

test('streams bytes as they arrive, and throws when the server goes silent', async () => {
  await using server = await apiServer();
  await using client = kubernetesClient(server.config);
  server.script.watch.push({ kind: 'watch', text: 'hello' });
  await using stream = await client.stream({
    path,
    query: { watch: 'true' },
    responseMs: 60_000,
    idleMs: 100,
  });
  const watch = await server.nextWatch();
  const bytes = stream[Symbol.asyncIterator]();
  expect(String((await bytes.next()).value)).toBe('hello');
  expect((await failure(bytes.next())).reason).toBe('Silent');
  await until(() => watch.isClosed(), { what: 'the end of the connection' });
});

/** Accepts connections, reads everything and answers nothing. */
async function silentHost() {
  const host = createServer((socket) => socket.resume());
  const port = await listenOnLoopback(host);
  return {
    url: new URL(`https://127.0.0.1:${port}`),
    [Symbol.asyncDispose]: async () => {
      host.close();
      await once(host, 'close');
    },
  };
}

async function failure(promise: Promise<unknown>): Promise<ApiError> {
  const error: unknown = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (error instanceof ApiError) return error;
  throw new Error('no ApiError', { cause: error });
}

function abortable(): { readonly signal: AbortSignal; readonly abort: () => void } {
  const controller = new AbortController();
  return { signal: controller.signal, abort: () => controller.abort() };
}

async function tokenFile(token: string) {
  const folder = await mkdtemp(join(tmpdir(), 'podcap-token-'));
  const file = join(folder, 'token');
  await writeFile(file, token);
  return {
    path: file,
    write: (next: string) => writeFile(file, next),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true }),
  };
}
