import { text } from 'node:stream/consumers';
import { connect } from 'node:tls';
import { describe, expect, test } from 'vitest';
import { until } from '../../base/until.ts';
import { authority, selfSigned } from '../../kubernetes/testing/certificate.ts';
import type { SubresourceRequest } from './subresource-handler.ts';
import { memoryCaptures, testCapture } from './testing/memory-captures.ts';
import { clientCa, otherIdentity, send, startedHubApi } from './testing/started-hub-api.ts';

const captures = '/apis/podcap.dev/v1alpha1/namespaces/shop/captures';
const few = { short: 2, watch: 2, stream: 2 };

/** Captures that nobody answers for. */
function silentCaptures() {
  return { ...memoryCaptures(), list: async () => await new Promise<never>(() => {}) };
}

describe('identity', () => {
  test('of anyone but the API server counts for nothing', async () => {
    const [other, own] = [await authority('other-ca'), await selfSigned()];
    await using hub = await startedHubApi({ captures: memoryCaptures([testCapture()]) });
    for (const certificate of ['none', await other.sign('client'), own] as const) {
      for (const path of [captures, `${captures}/web-0`, `${captures}/web-0/log`]) {
        const { status, json, headers } = await hub.ask(path, { certificate });
        expect(status).toBe(401);
        expect(json).toMatchObject({ kind: 'Status', reason: 'Unauthorized' });
        expect(headers.connection).toBe('close');
      }
      expect((await hub.ask(captures, { certificate, method: 'POST' })).status).toBe(401);
    }
    expect(hub.authorized).toEqual([]);
  });

  test('is lost when its authority is no longer trusted', async () => {
    const identity = await otherIdentity();
    await using hub = await startedHubApi({ captures: memoryCaptures([testCapture()]) });
    expect((await hub.ask(captures)).status).toBe(200);
    hub.api.setTls({ ...identity, clientCa: '' });
    expect((await hub.ask(captures, { ca: identity.ca })).status).toBe(401);
    hub.api.setTls({ ...identity, clientCa });
    expect((await hub.ask(captures, { ca: identity.ca })).status).toBe(200);
  });
});

describe('a failure', () => {
  test('says nothing of its inside to the client, and everything to the log', async () => {
    const failing = { ...memoryCaptures(), get: async () => await Promise.reject(new Error('inside')) };
    await using hub = await startedHubApi({ captures: failing });
    const answer = await hub.ask(`${captures}/web-0`);
    expect(answer.status).toBe(500);
    expect(answer.text).not.toMatch(/inside|at .*\.ts/);
    expect(hub.logged).toMatchObject([
      {
        message: 'failed to answer a request',
        fields: { action: 'get', namespace: 'shop', pod: 'web-0', err: { message: 'inside' } },
      },
    ]);
  });

  test('of something that takes too long says so', async () => {
    await using hub = await startedHubApi({
      captures: silentCaptures(),
      limits: { open: few, perUser: few, deadlineMs: 50 },
    });
    const { status, json } = await hub.ask(captures);
    expect(status).toBe(504);
    expect(json).toMatchObject({ reason: 'Timeout' });
  });

  test('to speak HTTP is answered with a status alone', async () => {
    await using hub = await startedHubApi();
    const socket = connect({ host: '127.0.0.1', port: hub.api.port, rejectUnauthorized: false });
    socket.write('GARBAGE\r\n\r\n');
    expect(await text(socket)).toBe('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n');
  });
});

test('a user may be in thousands of groups', async () => {
  await using hub = await startedHubApi();
  const groups = Array.from({ length: 2_200 }, (_, at) => `group-${at}`);
  expect((await hub.ask(captures, { headers: { 'x-remote-group': groups } })).status).toBe(200);
  expect(hub.authorized[0]?.caller.groups).toEqual(groups);
});

describe('limits', () => {
  test.each([
    ['watches', `${captures}?watch=true`],
    ['streams', `${captures}/web-0/log`],
  ])('more %s than there may be are told to come again', async (_, path) => {
    await using hub = await startedHubApi({
      limits: { open: few, perUser: few, deadlineMs: 10_000 },
      subresources: async ({ signal }, response) => {
        response.writeHead(200).flushHeaders();
        await new Promise((resolve) => signal.addEventListener('abort', resolve));
        response.end();
        return undefined;
      },
    });
    await using _first = await hub.watch(path);
    {
      await using _second = await hub.watch(path);
      const { status, headers, json } = await hub.ask(path);
      expect(status).toBe(429);
      expect(headers['retry-after']).toBe('5');
      expect(json).toMatchObject({ reason: 'TooManyRequests', details: { retryAfterSeconds: 5 } });
      expect((await hub.ask(captures)).status).toBe(200);
    }
    await until(() => hub.answered.some(({ code, action }) => code === 200 && action !== 'list'), {
      what: 'the end of the second',
    });
    await using third = await hub.watch(path);
    expect(third.status).toBe(200);
  });

  test('one user cannot take all', async () => {
    await using hub = await startedHubApi({
      limits: { open: { ...few, watch: 3 }, perUser: few, deadlineMs: 10_000 },
    });
    await using _first = await hub.watch(`${captures}?watch=true`);
    await using _second = await hub.watch(`${captures}?watch=true`);
    expect((await hub.ask(`${captures}?watch=true`)).status).toBe(429);
    await using other = await hub.watch(`${captures}?watch=true`, { headers: { 'x-remote-user': 'joe' } });
    expect(other.status).toBe(200);
  });

  test('short requests have one too', async () => {
    await using hub = await startedHubApi({
      captures: silentCaptures(),
      limits: { open: few, perUser: few, deadlineMs: 1_000 },
      graceMs: 10,
    });
    const [first, second] = [hub.ask(captures), hub.ask(captures)];
    const codes = await Promise.all([first, second, hub.ask(captures)]);
    expect(codes.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([429, 504, 504]);
  });
});

describe('a subresource', () => {
  const path = `${captures}/web-0/attach?filter=tcp+port+80&snaplen=96`;

  test('is handed over with what was parsed, not yet authorized', async () => {
    const handed: SubresourceRequest[] = [];
    await using hub = await startedHubApi({
      subresources: async (request, response) => {
        handed.push(request);
        response.writeHead(200, { 'content-type': 'application/octet-stream' });
        response.end('bytes');
        return await Promise.resolve(undefined);
      },
    });
    const headers = { 'audit-id': 'an-id' };
    expect((await hub.ask(path, { accept: 'application/x', headers })).text).toBe('bytes');
    await hub.ask(`${captures}/web-0/log`, { headers: { 'audit-id': 'x'.repeat(65) } });
    expect(handed).toMatchObject([
      {
        subresource: 'attach',
        capture: { namespace: 'shop', name: 'web-0' },
        caller: { user: 'jane', groups: ['developers', 'testers'] },
        accept: 'application/x',
        auditId: 'an-id',
      },
      { subresource: 'log', accept: '', auditId: '' },
    ]);
    expect([...(handed[0]?.query ?? [])]).toEqual([
      ['filter', 'tcp port 80'],
      ['snaplen', '96'],
    ]);
    expect(hub.authorized).toEqual([]);
  });

  test('may answer with an error', async () => {
    await using hub = await startedHubApi();
    expect((await hub.ask(path)).json).toMatchObject({ code: 404, message: 'not in this test' });
  });

  test('that fails in the middle is cut, and never ended', async () => {
    await using hub = await startedHubApi({
      subresources: async (_, response) => {
        response.writeHead(200);
        response.write('a part');
        await until(() => response.writableLength === 0, { what: 'the part to be sent' });
        throw new Error('inside');
      },
    });
    const answer = await send(hub.api.port, path);
    expect(answer.statusCode).toBe(200);
    await expect(answer.toArray()).rejects.toThrow('aborted');
    expect(answer.complete).toBe(false);
  });

  test('ends with its client', async () => {
    let signal: AbortSignal | undefined;
    await using hub = await startedHubApi({
      subresources: async (request, response) => {
        ({ signal } = request);
        response.writeHead(200).flushHeaders();
        await new Promise((resolve) => request.signal.addEventListener('abort', resolve));
        response.destroy();
        return undefined;
      },
    });
    const answer = await send(hub.api.port, path);
    answer.destroy();
    expect(await until(() => signal?.aborted, { what: 'the abort' })).toBe(true);
  });
});

describe('the end of the hub', () => {
  test('ends watches cleanly, aborts streams, and lets short requests finish', async () => {
    const list = Promise.withResolvers<void>();
    const stored = memoryCaptures([testCapture()]);
    const hub = await startedHubApi({
      graceMs: 30_000,
      captures: {
        ...stored,
        list: async (...args) => {
          await list.promise;
          return await stored.list(...args);
        },
      },
      subresources: async ({ signal }, response) => {
        response.writeHead(200).flushHeaders();
        await new Promise((resolve) => signal.addEventListener('abort', resolve));
        response.destroy();
        return undefined;
      },
    });
    await using watch = await hub.watch(`${captures}?watch=true`);
    expect(await watch.next()).toMatchObject({ type: 'ADDED' });
    const stream = await send(hub.api.port, `${captures}/web-0/log`);
    const asked = hub.ask(captures);
    await until(() => hub.authorized.some(({ verb }) => verb === 'list'), { what: 'the list' });
    const ended = hub[Symbol.asyncDispose]();
    expect(await watch.next()).toBeUndefined();
    expect(await watch.isComplete()).toBe(true);
    await expect(stream.toArray()).rejects.toThrow('aborted');
    await expect(hub.ask(captures)).rejects.toThrow(/ECONNREFUSED/);
    list.resolve();
    expect((await asked).status).toBe(200);
    await ended;
  });

  test('waits no longer than its grace', async () => {
    const hub = await startedHubApi({ captures: silentCaptures(), graceMs: 50 });
    const asked = hub.ask(captures);
    await Promise.all([
      expect(asked).rejects.toThrow(/hang up|ECONNRESET/),
      until(() => hub.authorized.length === 1, { what: 'the request' }).then(
        async () => await hub[Symbol.asyncDispose](),
      ),
    ]);
  });
});
