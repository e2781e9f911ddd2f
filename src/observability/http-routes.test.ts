import { connect, createServer } from 'node:net';
import { text } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import { boundedServer } from '../base/bounded-server.ts';
import { answerOneRequest } from './http-routes.ts';

const get = (path: string) => `GET ${path} HTTP/1.1\r\nHost: agent\r\nUser-Agent: kube-probe/1.36\r\n\r\n`;

test('answers fetch, for known and unknown paths', async () => {
  await using scene = await routesScene();
  expect(await scene.fetched('/up')).toBe('200 up 1\n');
  expect(await scene.fetched('/down')).toBe('503 no\n');
  for (const path of ['/', '/up?', '/up/', '//up', '/__proto__', '/constructor']) {
    expect(await scene.fetched(path)).toBe('404 not found\n');
  }
});

test('ends the connection after one answer, and says so', async () => {
  await using scene = await routesScene();
  expect(await scene.sent([get('/up')])).toBe(
    'HTTP/1.1 200 OK\r\ncontent-type: text/plain; version=0.0.4; charset=utf-8\r\n' +
      'content-length: 5\r\nconnection: close\r\n\r\nup 1\n',
  );
});

test('answers a request that arrives byte by byte, and one of HTTP/1.0', async () => {
  await using scene = await routesScene();
  expect(await scene.sent(get('/up').split(''))).toMatch(/^HTTP\/1.1 200 .*\r\n\r\nup 1\n$/s);
  expect(await scene.sent(['GET /up HTTP/1.0\r\n\r\n'])).toMatch(/^HTTP\/1.1 200 /);
});

test('answers HEAD without a body', async () => {
  await using scene = await routesScene();
  expect(await scene.sent(['HEAD /up HTTP/1.1\r\n\r\n'])).toMatch(/content-length: 5\r\n.*\r\n\r\n$/s);
});

test('answers only the first of many requests on a connection', async () => {
  await using scene = await routesScene();
  await scene.sent([get('/up').repeat(5_000)]);
  expect(scene.answered()).toBe(1);
});

test.each([
  ['no HTTP', 'hello\r\n\r\n'],
  ['another version', 'GET /up HTTP/2.0\r\n\r\n'],
  ['a TLS handshake', `\u0016\u0003\u0001${'\0'.repeat(600)}\r\n\r\n`],
  ['a path without an end', `GET /${'x'.repeat(20_000)}`],
  ['headers without an end', `GET /up HTTP/1.1\r\n${'X: y\r\n'.repeat(4_000)}`],
])('disconnects a client that sends %s', async (_what, request) => {
  await using scene = await routesScene();
  expect(await scene.sent([request])).toBe('');
  expect(scene.answered()).toBe(0);
});

test('a client that disconnects before it is answered harms nothing', async () => {
  await using scene = await routesScene();
  for (let i = 0; i < 20; i += 1) {
    const socket = connect(scene.port, '127.0.0.1', () => {
      socket.write(get('/up'));
      socket.resetAndDestroy();
    });
    socket.on('error', () => {});
  }
  expect(await scene.fetched('/up')).toBe('200 up 1\n');
});

async function routesScene() {
  let answered = 0;
  const server = boundedServer(
    createServer((socket) =>
      answerOneRequest(socket, {
        '/up'() {
          answered += 1;
          return { status: 200, body: 'up 1\n' };
        },
        '/down': () => ({ status: 503, body: 'no\n' }),
      }),
    ),
    { connections: 100, perAddress: 100, lifetimeMs: 10_000 },
  );
  const port = await server.listen(0);
  return {
    port,
    answered: () => answered,
    async fetched(path: string): Promise<string> {
      const response = await fetch(`http://127.0.0.1:${port}${path}`);
      return `${response.status} ${await response.text()}`;
    },
    /** Sends each text as a packet of its own; returns all that comes back, nothing if the connection is reset. */
    async sent(texts: readonly string[]): Promise<string> {
      const socket = connect({ port, host: '127.0.0.1', noDelay: true });
      for (const each of texts) socket.write(each, 'latin1');
      return await text(socket).catch(() => '');
    },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}
