import { once } from 'node:events';
import { createServer, type TLSSocket } from 'node:tls';
import { expect, test } from 'vitest';
import { until } from '../../base/until.ts';
import { type Authority, authority } from '../../kubernetes/testing/certificate.ts';
import { memoryLog } from '../../kubernetes/testing/memory-logger.ts';
import { linkProtocol } from '../../link/protocol.ts';
import { listenOnLoopback } from '../../testbed/loopback-port.ts';
import { type HandshakeOptions, linkHandshake } from './link-handshake.ts';
import { serveLink } from './link-session.ts';
import { hubServerName } from './testing/hub-scene.ts';

const welcome = `${JSON.stringify({ kind: 'welcome', version: '1' })}\n`;
/** The preface of HTTP/2, and SETTINGS without a setting (RFC 9113, 3.4). */
const preface = Buffer.concat([
  Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
  Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]),
]);
const settingsAcknowledged = Buffer.from([0, 0, 0, 4, 1, 0, 0, 0, 0]);

/** What answers an agent's first line. */
async function rawHub(ca: Authority, answer: (socket: TLSSocket, line: string) => void) {
  const certificate = await ca.sign('server', { dnsName: hubServerName });
  const sockets = new Set<TLSSocket>();
  const server = createServer({ ...certificate, ALPNProtocols: [linkProtocol] }, (socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.once('data', (line) => answer(socket, line.toString('utf8')));
  });
  const port = await listenOnLoopback(server);
  return {
    dial: (options: Partial<HandshakeOptions> = {}) =>
      linkHandshake({
        hub: { address: '127.0.0.1', port },
        tlsServerName: hubServerName,
        authority: ca.cert,
        hello: { token: 'secret', version: '1.2.3' },
        deadlineMs: 10_000,
        signal: new AbortController().signal,
        ...options,
      }),
    async [Symbol.asyncDispose]() {
      const closed = once(server, 'close');
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

test('what follows the welcome at once is the beginning of HTTP/2', async () => {
  let received = Buffer.alloc(0);
  await using hub = await rawHub(await authority('hub'), (socket) => {
    socket.on('data', (bytes: Buffer) => {
      received = Buffer.concat([received, bytes]);
    });
    socket.write(Buffer.concat([Buffer.from(welcome), preface]));
  });
  const socket = await hub.dial();
  const ending = new AbortController();
  const address = { address: '127.0.0.1', port: 1 };
  const options = { hub: address, routes: new Map(), log: memoryLog(), signal: ending.signal };
  const serving = serveLink(socket, options);
  await until(() => received.includes(settingsAcknowledged), { what: 'the settings to be acknowledged' });
  ending.abort();
  expect(await serving).toBeUndefined();
});

test('the first line has the token and the version, and nothing else is sent before the answer', async () => {
  const lines: string[] = [];
  await using hub = await rawHub(await authority('hub'), (socket, line) => {
    lines.push(line);
    socket.write(welcome);
  });
  (await hub.dial()).destroy();
  expect(lines).toEqual([`${JSON.stringify({ token: 'secret', version: '1.2.3' })}\n`]);
});

test.each([
  ['is no JSON', 'HTTP/1.1 200 OK\n'],
  ['is something else', '{"kind":"hello"}\n'],
  ['has no end', 'x'.repeat(100_000)],
])('an answer that %s is none of a hub', async (_what, answer) => {
  await using hub = await rawHub(await authority('hub'), (socket) => socket.write(answer));
  await expect(hub.dial()).rejects.toMatchObject({ name: 'LinkFailure', reason: 'Protocol' });
});

test('an answer may come in pieces', async () => {
  await using hub = await rawHub(await authority('hub'), (socket) => {
    socket.write(welcome.slice(0, 5), () => socket.write(welcome.slice(5)));
  });
  const socket = await hub.dial();
  expect(socket.alpnProtocol).toBe(linkProtocol);
  socket.destroy();
});

test('a hub that never answers is given up after the deadline, and one that ends at once', async () => {
  const ca = await authority('hub');
  await using silent = await rawHub(ca, () => {});
  await expect(silent.dial({ deadlineMs: 100 })).rejects.toMatchObject({
    reason: 'Unreachable',
    message: 'no answer within 0.1 s',
  });
  await using ending = await rawHub(ca, (socket) => socket.end());
  await expect(ending.dial()).rejects.toMatchObject({ reason: 'Closed' });
});

test('nothing is waited for after the signal', async () => {
  const dialling = new AbortController();
  await using hub = await rawHub(await authority('hub'), () => dialling.abort());
  await expect(hub.dial({ signal: dialling.signal })).rejects.toMatchObject({ reason: 'Closed' });
  await expect(hub.dial({ signal: dialling.signal })).rejects.toMatchObject({ reason: 'Closed' });
});

test('a hub that floods the agent with frames loses its link', async () => {
  const windowUpdate = Buffer.from([0, 0, 4, 8, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
  const flood = Buffer.concat(Array.from({ length: 5_000 }, () => windowUpdate));
  await using hub = await rawHub(await authority('hub'), (socket) => {
    socket.resume();
    socket.write(Buffer.concat([Buffer.from(welcome), preface, settingsAcknowledged]));
    const send = () => {
      while (!socket.destroyed && socket.write(flood));
    };
    socket.on('drain', send);
    send();
  });
  const socket = await hub.dial();
  const address = { address: '127.0.0.1', port: 1 };
  const { signal } = new AbortController();
  const ended = await serveLink(socket, { hub: address, routes: new Map(), log: memoryLog(), signal });
  expect(ended).toMatchObject({
    reason: 'Protocol',
    message: 'the hub sends more than requests can be',
  });
});
