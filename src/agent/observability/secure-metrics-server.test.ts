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
import {
  type Authority,
  authority,
  type Certificate,
  selfSigned,
} from '../../kubernetes/testing/certificate.ts';
import { listenOnLoopback } from '../../testbed/loopback-port.ts';
import { temporaryFolder } from '../../testbed/temporary-folder.ts';
import { until } from '../../testbed/until.ts';
import { serveSecureMetrics } from './secure-metrics-server.ts';

// Real certificates, real clients: what is tried is whom TLS lets in.

let ours: Authority;
let others: Authority;
let server: Certificate;
let client: Certificate;
beforeAll(async () => {
  [ours, others] = await Promise.all([authority('ours'), authority('others')]);
  [server, client] = await Promise.all([ours.sign('server'), ours.sign('client')]);
});

test('who shows a certificate of the authority reads the metrics, and nothing else', async () => {
  await using scene = await secureScene();
  expect(await scene.ask(client)).toBe('200 up 1\n');
  expect(await scene.ask(client, { path: '/healthz' })).toBe('404 not found\n');
});

test.each([
  ['no certificate', () => Promise.resolve(undefined)],
  ['one of another authority', () => others.sign('client')],
  ['one that it signed itself', () => selfSigned()],
  ["a server's", () => ours.sign('server')],
  ['one that has expired', () => ours.sign('client', { days: -1 })],
])('who shows %s reads nothing', async (_what, certificateOf) => {
  await using scene = await secureScene();
  expect(await scene.ask(await certificateOf())).toMatch(/^refused/);
});

test('who speaks plain HTTP, or an older TLS, reads nothing', async () => {
  await using scene = await secureScene();
  await expect(fetch(`http://127.0.0.1:${scene.port}/metrics`)).rejects.toThrow('fetch failed');
  expect(await scene.ask(client, { maxVersion: 'TLSv1.2' })).toMatch(/^refused/);
});

test('after a change of the authority an old certificate ends, on a connection that is kept and with a session that is resumed', async () => {
  await using scene = await secureScene();
  using prometheus = scene.keptAlive(client);
  const [first, second] = [await prometheus.ask(), await prometheus.ask()];
  expect(second).toEqual(first);
  prometheus.close();
  expect(await prometheus.ask()).toMatchObject({ answer: '200 up 1\n', isResumed: true });

  await scene.write({ ...(await others.sign('server')), ca: others.cert });
  await until(() => scene.told('certificates read') === 2, { what: 'the change' });
  // First on the connection that it has, then on a new one, with the session that it has.
  for (let i = 0; i < 2; i += 1)
    expect(await prometheus.ask()).toMatchObject({ answer: expect.stringMatching(/^refused/) });
  expect(await scene.ask(client)).toMatch(/^refused/);
  expect(await scene.ask(await others.sign('client'))).toBe('200 up 1\n');
});

test('a handshake that is under way at the change is broken off', async () => {
  await using scene = await secureScene();
  await using slow = await slowPath(scene.port);
  const asked = scene.ask(client, { port: slow.port });
  await slow.held();
  await scene.write({ ...(await others.sign('server')), ca: others.cert });
  expect(await asked).toMatch(/^refused/);
  expect(slow.isHeld()).toBe(true);
});

test('what cannot be used leaves what was in use, and is told once', async () => {
  await using scene = await secureScene();
  await scene.write({ cert: server.cert, key: client.key, ca: ours.cert });
  await until(() => scene.told('certificates not read') > 0, { what: 'the warning' });
  for (let i = 0; i < 10; i += 1) expect(await scene.ask(client)).toBe('200 up 1\n');
  await scene.write({ ...(await ours.sign('server')), ca: ours.cert });
  await until(() => scene.told('certificates read') === 2, { what: 'the next certificates' });
  expect(await scene.ask(client)).toBe('200 up 1\n');
  expect(scene.told('certificates not read')).toBe(1);
});

test('before there are certificates nobody is let in, and captures go on: it serves once they are there', async () => {
  await using scene = await secureScene({ isEmpty: true });
  for (let i = 0; i < 10; i += 1) expect(await scene.ask(client)).toMatch(/^refused/);
  expect(scene.told('certificates not read')).toBe(1);
  await scene.write({ ...server, ca: ours.cert });
  await until(async () => (await scene.ask(client)) === '200 up 1\n', { what: 'the metrics' });
});

type Files = { readonly cert: string; readonly key: string; readonly ca: string };
type Asking = { readonly path?: string; readonly port?: number; readonly maxVersion?: 'TLSv1.2' };
type Answer = { readonly answer: string; readonly localPort?: number; readonly isResumed?: boolean };

async function secureScene({ isEmpty = false } = {}) {
  const folder = await temporaryFolder();
  const lines: string[] = [];
  const log = pino({ level: 'info' }, { write: (line) => void lines.push(line) });
  let version = 0;

  /** As the kubelet does it: all files at once. */
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
  const options = { port: 0, folder: folder.path, rereadMs: 5, metrics: () => 'up 1\n', log };
  const metrics = await serveSecureMetrics(options);
  const { port } = metrics;
  return {
    port,
    write,
    told: (message: string) => lines.filter((line) => line.includes(`"${message}"`)).length,
    async ask(certificate: Certificate | undefined, asking: Asking = {}): Promise<string> {
      return (await ask({ port, ...identityOf(certificate), agent: false, ...asking })).answer;
    },
    /** One connection, and the sessions that the server gave, as Prometheus would keep them. */
    keptAlive(certificate: Certificate) {
      const agent = new Agent({ keepAlive: true, maxSockets: 1, ...identityOf(certificate) });
      return {
        ask: () => ask({ port, agent }),
        close() {
          for (const socket of Object.values(agent.freeSockets).flat()) socket?.destroy();
        },
        [Symbol.dispose]: () => agent.destroy(),
      };
    },
    async [Symbol.asyncDispose]() {
      await metrics[Symbol.asyncDispose]();
      await folder[Symbol.asyncDispose]();
    },
  };
}

/** It trusts either authority, so that the server alone can refuse. */
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
    return { answer, localPort: socket.localPort ?? 0, isResumed };
  } catch (error) {
    return { answer: `refused: ${String(error)}` };
  }
}

/** A way to the server on which the client's second message is held back: with it a handshake would be over. */
async function slowPath(port: number) {
  let chunks = 0;
  const holding = Promise.withResolvers<void>();
  const path = createServer((near) => {
    const far = connect(port, '127.0.0.1');
    far.pipe(near);
    near.on('data', (chunk) => {
      chunks += 1;
      if (chunks === 1) far.write(chunk);
      else holding.resolve();
    });
    const cut = () => [near, far].forEach((socket) => socket.destroy());
    for (const socket of [near, far]) socket.on('close', cut).on('error', cut);
  });
  return {
    port: await listenOnLoopback(path),
    held: () => holding.promise,
    isHeld: () => chunks > 1,
    async [Symbol.asyncDispose]() {
      path.close();
      await once(path, 'close');
    },
  };
}
