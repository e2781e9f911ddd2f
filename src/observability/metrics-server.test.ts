import { once } from 'node:events';
import { mkdir, rename, symlink, writeFile } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { Agent, type RequestOptions, request } from 'node:https';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { TLSSocket } from 'node:tls';
import { pino } from 'pino';
import { beforeAll, expect, test } from 'vitest';
import { until } from '../base/until.ts';
import {
  type Authority,
  authority,
  type Certificate,
  selfSigned,
} from '../kubernetes/testing/certificate.ts';
import { listenOnLoopback } from '../testbed/loopback-port.ts';
import { temporaryFolder } from '../testbed/temporary-folder.ts';
import { renderedAtMostEvery, serveMetrics } from './metrics-server.ts';

test('without TLS, every client reads the metrics, and nothing else', async () => {
  const log = pino({ level: 'silent' });
  await using server = await serveMetrics({ port: 0, tls: undefined, metrics: () => 'up 1\n', log });
  const answers = ['/metrics', '/healthz'].map(async (path) => {
    return await (await fetch(`http://127.0.0.1:${server.port}${path}`)).text();
  });
  expect(await Promise.all(answers)).toEqual(['up 1\n', 'not found\n']);
});

test('metrics that cannot be read are an error of that answer, and do not end the agent', async () => {
  const metrics = () => {
    throw new Error('EMFILE: too many open files, uv_resident_set_memory');
  };
  const log = pino({ level: 'silent' });
  await using server = await serveMetrics({ port: 0, tls: undefined, metrics, log });
  const answer = await fetch(`http://127.0.0.1:${server.port}/metrics`);
  expect([answer.status, await answer.text()]).toEqual([503, 'the metrics cannot be read\n']);
});

test('the metrics are made once a second at most, however many clients ask', () => {
  let [times, nowMs] = [0, 5_000];
  const metrics = renderedAtMostEvery(
    1_000,
    () => `${(times += 1)}`,
    () => nowMs,
  );
  expect([metrics(), metrics()]).toEqual(['1', '1']);
  nowMs += 999;
  expect(metrics()).toBe('1');
  nowMs += 1;
  expect([metrics(), metrics()]).toEqual(['2', '2']);
});

// Real certificates and real clients: these tests try which clients TLS lets in.

let ours: Authority;
let others: Authority;
let server: Certificate;
let client: Certificate;
beforeAll(async () => {
  [ours, others] = await Promise.all([authority('ours'), authority('others')]);
  [server, client] = await Promise.all([ours.sign('server'), ours.sign('client')]);
});

test('a client with a certificate of the authority reads the metrics, and nothing else', async () => {
  await using scene = await secureScene();
  expect(await scene.ask(client)).toBe('200 up 1\n');
  expect(await scene.ask(client, { path: '/healthz' })).toBe('404 not found\n');
});

test.each([
  ['no certificate', () => Promise.resolve(undefined)],
  ['a certificate of another authority', () => others.sign('client')],
  ['a self-signed certificate', () => selfSigned()],
  ["a server's certificate", () => ours.sign('server')],
  ['an expired certificate', () => ours.sign('client', { days: -1 })],
])('a client with %s reads nothing', async (_what, certificateOf) => {
  await using scene = await secureScene();
  expect(await scene.ask(await certificateOf())).toMatch(/^refused/);
});

test('a client that speaks plain HTTP, or an older TLS, reads nothing', async () => {
  await using scene = await secureScene();
  await expect(fetch(`http://127.0.0.1:${scene.port}/metrics`)).rejects.toThrow('fetch failed');
  expect(await scene.ask(client, { maxVersion: 'TLSv1.2' })).toMatch(/^refused/);
});

test('a new authority shuts out old certificates, in a resumed session too', async () => {
  await using scene = await secureScene();
  using prometheus = scene.resuming(client);
  await prometheus.ask();
  expect(await prometheus.ask()).toMatchObject({ answer: '200 up 1\n', isResumed: true });

  await scene.write({ ...(await others.sign('server')), ca: others.cert });
  await until(() => scene.logged('certificates read') === 2, { what: 'the change' });
  expect(await prometheus.ask()).toMatchObject({ answer: expect.stringMatching(/^refused/) });
  expect(await scene.ask(client)).toMatch(/^refused/);
  expect(await scene.ask(await others.sign('client'))).toBe('200 up 1\n');
});

test('a handshake that is under way at the change is aborted', async () => {
  await using scene = await secureScene();
  await using proxy = await stallingProxy(scene.port);
  const asked = scene.ask(client, { port: proxy.port });
  await proxy.stalled();
  await scene.write({ ...(await others.sign('server')), ca: others.cert });
  expect(await asked).toMatch(/^refused/);
  expect(proxy.isStalled()).toBe(true);
});

test('unusable certificates leave the ones in use, and are logged once', async () => {
  await using scene = await secureScene();
  await scene.write({ cert: server.cert, key: client.key, ca: ours.cert });
  await until(() => scene.logged('failed to read certificates') > 0, { what: 'the warning' });
  for (let i = 0; i < 10; i += 1) expect(await scene.ask(client)).toBe('200 up 1\n');
  await scene.write({ ...(await ours.sign('server')), ca: ours.cert });
  await until(() => scene.logged('certificates read') === 2, { what: 'the next certificates' });
  expect(await scene.ask(client)).toBe('200 up 1\n');
  expect(scene.logged('failed to read certificates')).toBe(1);
});

test('without certificates every client is refused until there are some', async () => {
  await using scene = await secureScene({ isEmpty: true });
  for (let i = 0; i < 10; i += 1) expect(await scene.ask(client)).toMatch(/^refused/);
  expect(scene.logged('failed to read certificates')).toBe(1);
  await scene.write({ ...server, ca: ours.cert });
  await until(async () => (await scene.ask(client)) === '200 up 1\n', { what: 'the metrics' });
});

type Files = { readonly cert: string; readonly key: string; readonly ca: string };
type Asking = { readonly path?: string; readonly port?: number; readonly maxVersion?: 'TLSv1.2' };
type Answer = { readonly answer: string; readonly isResumed?: boolean };

async function secureScene({ isEmpty = false } = {}) {
  const folder = await temporaryFolder();
  const lines: string[] = [];
  const log = pino({ level: 'info' }, { write: (line) => void lines.push(line) });
  let version = 0;

  /** All files at once, as the kubelet does it. */
  async function write({ cert, key, ca }: Files): Promise<void> {
    version += 1;
    const next = join(folder.path, `..${version}`);
    await mkdir(next);
    for (const [name, content] of Object.entries({ 'tls.crt': cert, 'tls.key': key, 'ca.crt': ca }))
      await writeFile(join(next, name), content);
    await symlink(next, join(folder.path, '..next'));
    await rename(join(folder.path, '..next'), join(folder.path, '..data'));
  }

  if (!isEmpty) await write({ ...server, ca: ours.cert });
  const tls = { folder: folder.path, rereadMs: 5 };
  const metrics = await serveMetrics({ port: 0, tls, metrics: () => 'up 1\n', log });
  const { port } = metrics;
  return {
    port,
    write,
    logged: (message: string) => lines.filter((line) => line.includes(`"${message}"`)).length,
    async ask(certificate: Certificate | undefined, asking: Asking = {}): Promise<string> {
      return (await ask({ port, ...identityOf(certificate), agent: false, ...asking })).answer;
    },
    /** Keeps the sessions that the server issued, as Prometheus does. */
    resuming(certificate: Certificate) {
      const agent = new Agent({ keepAlive: true, ...identityOf(certificate) });
      return { ask: () => ask({ port, agent }), [Symbol.dispose]: () => agent.destroy() };
    },
    async [Symbol.asyncDispose]() {
      await metrics[Symbol.asyncDispose]();
      await folder[Symbol.asyncDispose]();
    },
  };
}

/** The client trusts either authority, so that only the server can refuse. */
function identityOf(certificate: Certificate | undefined) {
  return { ca: [ours.cert, others.cert], ...certificate };
}

async function ask({ path = '/metrics', ...options }: RequestOptions): Promise<Answer> {
  const asked = request({ host: '127.0.0.1', path, ...options });
  asked.end();
  try {
    const [response]: IncomingMessage[] = await once(asked, 'response');
    if (!response) throw new Error('no response');
    const { socket } = response;
    const isResumed = socket instanceof TLSSocket && socket.isSessionReused();
    const answer = `${response.statusCode} ${await text(response)}`;
    return { answer, isResumed };
  } catch (error) {
    return { answer: `refused: ${String(error)}` };
  }
}

/** A proxy to the server that holds back the client's second message, which would complete a handshake. */
async function stallingProxy(port: number) {
  let chunks = 0;
  const { promise: stalled, resolve: stall } = Promise.withResolvers<void>();
  const proxy = createServer((near) => {
    const far = connect(port, '127.0.0.1');
    far.pipe(near);
    near.on('data', (chunk) => {
      chunks += 1;
      if (chunks === 1) far.write(chunk);
      else stall();
    });
    const cut = () => [near, far].forEach((socket) => socket.destroy());
    for (const socket of [near, far]) socket.on('close', cut).on('error', cut);
  });
  return {
    port: await listenOnLoopback(proxy),
    stalled: () => stalled,
    isStalled: () => chunks > 1,
    async [Symbol.asyncDispose]() {
      proxy.close();
      await once(proxy, 'close');
    },
  };
}
