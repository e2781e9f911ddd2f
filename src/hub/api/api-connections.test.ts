import { once } from 'node:events';
import { Agent, request } from 'node:https';
import { connect, type Socket } from 'node:net';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import { describe, expect, onTestFinished, test } from 'vitest';
import { until } from '../../base/until.ts';
import { type RelayEnding, relay } from '../streams/relay.ts';
import { defaultApiConnectionBounds } from './api-connections.ts';
import { clientOptions, send, startedHubApi } from './testing/started-hub-api.ts';

const captures = '/apis/podcap.dev/v1alpha1/namespaces/shop/captures';

/** A connection from one of the loopback addresses, over which nothing is sent. */
async function idle(port: number, localAddress = '127.0.0.1'): Promise<Socket> {
  const socket = connect({ host: '127.0.0.1', port, localAddress });
  socket.on('error', () => {});
  onTestFinished(() => void socket.destroy());
  await once(socket, 'connect');
  return socket;
}

/** A stream without an end. The client has read nothing since its first bytes. */
async function unreadStream({ stallMs = 60_000 } = {}) {
  const relayed = Promise.withResolvers<RelayEnding>();
  const hub = await startedHubApi({
    graceMs: 60_000,
    async subresources({ signal, cut }, response) {
      const source = new Readable({ read: () => void source.push(Buffer.alloc(64 * 1024)) });
      response.writeHead(200);
      relayed.resolve(await relay({ source, response, stallMs, signal, cut, onTaken() {} }));
      return undefined;
    },
  });
  const { ca, cert, key } = clientOptions(hub.api.port);
  const socket = connectTls({ host: '127.0.0.1', port: hub.api.port, ca, cert, key });
  onTestFinished(async () => {
    socket.destroy();
    await hub[Symbol.asyncDispose]();
  });
  const user = 'x-remote-user: jane\r\nx-remote-group: developers';
  socket.write(`GET ${captures}/web-0/log HTTP/1.1\r\nhost: hub\r\n${user}\r\n\r\n`);
  await once(socket, 'readable');
  return {
    relayed: relayed.promise,
    end: async () => await hub[Symbol.asyncDispose](),
    /** Reads what is left. How that ends: with the code of an error, or `end`. */
    async readOn(): Promise<string> {
      const { promise, resolve } = Promise.withResolvers<string>();
      socket.on('error', (error) => resolve('code' in error ? String(error.code) : error.message));
      socket.on('end', () => resolve('end')).resume();
      return await promise;
    },
  };
}

describe('a stream whose client reads nothing is reset, so that no end is waited for,', () => {
  test('when it is cut', async () => {
    const stream = await unreadStream({ stallMs: 200 });
    expect(await stream.relayed).toBe('ClientTooSlow');
    expect(await stream.readOn()).toBe('ECONNRESET');
  });

  test('when the hub ends', async () => {
    const stream = await unreadStream();
    await stream.end();
    expect(await stream.relayed).toBe('Aborted');
    expect(await stream.readOn()).toBe('ECONNRESET');
  });
});

describe('connections', () => {
  test('1,000 idle ones stop neither a download nor the next request', async () => {
    const next = Promise.withResolvers<void>();
    await using hub = await startedHubApi({
      bounds: { youngMs: 0 },
      subresources: async (_, response) => {
        response.writeHead(200);
        response.write('first ');
        await next.promise;
        response.end('second');
        return undefined;
      },
    });
    const download = await send(hub.api.port, `${captures}/web-0/log`);
    const bytes = download.toArray();
    const flood: Socket[] = [];
    for (let at = 0; at < 1_000; at += 1) {
      flood.push(await idle(hub.api.port, `127.0.0.${2 + (at % 20)}`));
    }
    const { unknown } = defaultApiConnectionBounds;
    await until(() => flood.filter(({ closed }) => !closed).length <= unknown, {
      what: 'the others to be closed',
    });
    expect((await hub.ask(captures)).status).toBe(200);
    next.resolve();
    expect(Buffer.concat(await bytes).toString()).toBe('first second');
    expect(download.complete).toBe(true);
  });

  test.each([
    ['sends nothing', () => {}],
    ['begins a request and never ends it', (socket: Socket) => void socket.write('GET / HTTP/1.1\r\nx: ')],
    [
      'asks again and again',
      (socket: Socket) => void socket.write('GET /apis HTTP/1.1\r\nhost: x\r\n\r\n'.repeat(3)),
    ],
  ])('one of a stranger who %s is closed when its time is over', async (_, act) => {
    await using hub = await startedHubApi({ bounds: { unknownMs: 300 } });
    const socket = connectTls({ host: '127.0.0.1', port: hub.api.port, rejectUnauthorized: false });
    socket.on('error', () => {});
    onTestFinished(() => void socket.destroy());
    await once(socket, 'secureConnect');
    act(socket);
    socket.resume();
    await once(socket, 'close');
    expect(hub.authorized).toEqual([]);
  });

  test('one of a stranger gets one answer, however many requests come with the first', async () => {
    await using hub = await startedHubApi();
    const socket = connectTls({ host: '127.0.0.1', port: hub.api.port, rejectUnauthorized: false });
    onTestFinished(() => void socket.destroy());
    await once(socket, 'secureConnect');
    socket.write(`GET ${captures} HTTP/1.1\r\nhost: hub\r\n\r\n`.repeat(100));
    const received = (await buffer(socket)).toString();
    expect(received.match(/HTTP\/1.1 \d+/g)).toEqual(['HTTP/1.1 401']);
    expect((await hub.ask(captures)).status).toBe(200);
    await until(() => hub.answered.some(({ code }) => code === 200), { what: 'the next request' });
    expect(hub.answered.map(({ code }) => code)).toEqual([401, 200]);
  });

  test('those of the API server are kept, whatever time they take', async () => {
    await using hub = await startedHubApi({ bounds: { unknownMs: 3_000, unknown: 2, youngMs: 0 } });
    await using agent = keptAgent();
    const ask = async () => await statusOf(hub.api.port, agent.agent);
    expect(await ask()).toEqual([200, false]);
    const stranger = await idle(hub.api.port);
    await once(stranger, 'close');
    for (let at = 0; at < 5; at += 1) await idle(hub.api.port);
    expect(await ask()).toEqual([200, true]);
  });

  test('that the API server opens all at once, as after a restart, do not close each other', async () => {
    await using hub = await startedHubApi({ bounds: { unknown: 2 } });
    const asked = Array.from({ length: 200 }, async () => (await hub.ask(captures)).status);
    expect(new Set(await Promise.all(asked))).toEqual(new Set([200]));
  });

  test('however young, have a bound', async () => {
    await using hub = await startedHubApi({ bounds: { unknown: 2, unknownAtOnce: 10 } });
    const flood: Socket[] = [];
    for (let at = 0; at < 30; at += 1) flood.push(await idle(hub.api.port, '127.0.0.2'));
    await until(() => flood.filter(({ closed }) => !closed).length === 10, {
      what: 'the others to be closed',
    });
    expect((await hub.ask(captures)).status).toBe(200);
  });

  test('those of the API server have a bound too', async () => {
    await using hub = await startedHubApi({ bounds: { kept: 1 } });
    await using watch = await hub.watch(`${captures}?watch=true`);
    expect(watch.status).toBe(200);
    const { status, headers } = await hub.ask(captures);
    expect(status).toBe(429);
    expect(headers.connection).toBe('close');
    await watch[Symbol.asyncDispose]();
    await until(async () => (await hub.ask(captures)).status === 200, { what: 'the place to be free' });
  });
});

describe('TLS', () => {
  async function negotiate(port: number, options: ConnectionOptions): Promise<string | false | null> {
    const socket = connectTls({ host: '127.0.0.1', port, rejectUnauthorized: false, ...options });
    onTestFinished(() => void socket.destroy());
    const { promise, resolve, reject } = Promise.withResolvers<string | false | null>();
    socket
      .on('error', reject)
      .on('secureConnect', () => resolve(`${socket.getProtocol()} ${socket.alpnProtocol}`));
    return await promise;
  }

  test('speaks HTTP/1.1 alone, and nothing older than TLS 1.2', async () => {
    await using hub = await startedHubApi();
    const { port } = hub.api;
    expect(await negotiate(port, { ALPNProtocols: ['h2', 'http/1.1'] })).toBe('TLSv1.3 http/1.1');
    expect(await negotiate(port, { maxVersion: 'TLSv1.2' })).toBe('TLSv1.2 false');
    await expect(negotiate(port, { ALPNProtocols: ['h2'] })).rejects.toThrow(/no application protocol/);
    const old = { minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' } as const;
    await expect(negotiate(port, old)).rejects.toThrow(/protocol version/);
  });
});

/** As kube-apiserver, which uses a connection again. */
function keptAgent(): AsyncDisposable & { readonly agent: Agent } {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  return { agent, [Symbol.asyncDispose]: async () => await Promise.resolve(agent.destroy()) };
}

/** The status of a list, and whether the connection was used before. */
async function statusOf(
  port: number,
  agent: Agent,
): Promise<readonly [status: number | undefined, isReused: boolean]> {
  const { promise, resolve, reject } = Promise.withResolvers<readonly [number | undefined, boolean]>();
  const sent = request({ ...clientOptions(port), path: captures, agent }, (response) => {
    response.resume().on('end', () => resolve([response.statusCode, sent.reusedSocket]));
  });
  sent.on('error', reject).end();
  return await promise;
}
