import { getEventListeners } from 'node:events';
import { setTimeout } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { until } from '../base/until.ts';
import { kubernetesClient } from './client.ts';
import { type Change, watchCollection } from './list-watch.ts';
import { type Pod, parsePod } from './pod.ts';
import { type ApiServer, apiServer, list, refusal, statusObject, watchLine } from './testing/api-server.ts';
import { follow, type TimeLimits } from './testing/followed-watch.ts';
import { memoryLog } from './testing/memory-logger.ts';
import { podObject } from './testing/pod-object.ts';

const path = '/api/v1/pods';

test('lists from the watch cache, then watches from the version of the list', async () => {
  await using server = await apiServer();
  server.script.list.push(list('10', [podObject('web', '7', { 'tcpdump.antrea.io': '5', other: 'x' })]));
  await using watching = follow(server);
  const stream = await server.nextWatch();
  stream.send({ type: 'ADDED', object: podObject('db', '11') });
  stream.send({ type: 'DELETED', object: podObject('web', '12') });
  await until(() => watching.changes.length === 3, { what: 'three changes' });

  expect(names(watching.changes)).toEqual(['listed web', 'applied db', 'deleted web']);
  expect(server.requests[0]?.query).toEqual({
    fieldSelector: 'spec.nodeName=node1',
    resourceVersion: '0',
    limit: '100',
  });
  expect(stream.query).toMatchObject({
    watch: 'true',
    allowWatchBookmarks: 'true',
    fieldSelector: 'spec.nodeName=node1',
    resourceVersion: '10',
  });
  expect(Number(stream.query['timeoutSeconds'])).toBeGreaterThanOrEqual(240);
  expect(Number(stream.query['timeoutSeconds'])).toBeLessThanOrEqual(360);
});

test('reads every page of a list and watches from the version of the first page', async () => {
  await using server = await apiServer();
  server.script.list.push(list('10', [podObject('a', '1')], 'more'), list('12', [podObject('b', '2')]));
  await using watching = follow(server);
  const stream = await server.nextWatch();

  expect(names(watching.changes)).toEqual(['listed a,b']);
  expect(server.requests[1]?.query).toEqual({
    fieldSelector: 'spec.nodeName=node1',
    limit: '100',
    continue: 'more',
  });
  expect(stream.query['resourceVersion']).toBe('10');
});

test('lists the newest version without pages when pages expire while they are read', async () => {
  await using server = await apiServer();
  server.script.list.push(list('10', [podObject('a', '1')], 'more'), refusal(410, 'Expired'), list('20'));
  await using watching = follow(server);
  expect((await server.nextWatch()).query['resourceVersion']).toBe('20');
  expect(names(watching.changes)).toEqual(['listed ']);
  expect(server.requests[2]?.query).toEqual({ fieldSelector: 'spec.nodeName=node1' });
});

const bookmark = { type: 'BOOKMARK', object: { kind: 'Pod', metadata: { resourceVersion: '30' } } };

/** How the second watch ends; the next one resumes without a list. */
const resumed: readonly {
  readonly name: string;
  readonly timeLimits?: TimeLimits;
  readonly prepare?: (server: ApiServer) => void;
  readonly end: (server: ApiServer) => Promise<void>;
}[] = [
  { name: 'the server ends it at its timeout', end: async (server) => (await server.nextWatch()).end() },
  { name: 'the connection is cut', end: async (server) => (await server.nextWatch()).cut() },
  {
    name: 'it is cut in the middle of a line',
    async end(server) {
      const stream = await server.nextWatch();
      stream.bytes(JSON.stringify({ type: 'ADDED', object: podObject('half', '31') }).slice(0, 80));
      stream.cut();
    },
  },
  {
    name: 'it ends in the middle of a line',
    end: async (server) => {
      const stream = await server.nextWatch();
      stream.bytes('{"type":"ADD');
      stream.end();
    },
  },
  {
    name: 'it goes silent after a bookmark',
    timeLimits: (watch) => (watch === 1 ? { idleMs: 100 } : {}),
    prepare: (server) => server.script.watch.push({ kind: 'watch', text: watchLine(bookmark) }),
    end: async (server) => {
      await server.nextWatch();
    },
  },
  {
    name: 'an ERROR event has status 500',
    async end(server) {
      (await server.nextWatch()).send({ type: 'ERROR', object: statusObject(500, 'InternalError') });
    },
  },
  ...[401, 403, 404, 429, 500, 503].map((status) => ({
    name: `the next is refused with ${status}`,
    async end(server: ApiServer) {
      const stream = await server.nextWatch();
      server.script.watch.push(refusal(status, 'Refused'), refusal(status, 'Refused'));
      stream.end();
    },
  })),
  {
    name: 'the next is never answered',
    timeLimits: (watch) => (watch === 2 ? { responseMs: 100 } : {}),
    async end(server) {
      const stream = await server.nextWatch();
      server.script.watch.push({ kind: 'silence' });
      stream.end();
    },
  },
  {
    name: 'the next is cut before its response',
    async end(server) {
      const stream = await server.nextWatch();
      server.script.watch.push({ kind: 'cut' });
      stream.end();
    },
  },
];

test.each(resumed)(
  'resumes from the last bookmark when $name',
  { repeats: 19 },
  async ({ timeLimits, prepare, end }) => {
    await using server = await apiServer();
    await using watching = follow(server, {}, timeLimits);
    const first = await server.nextWatch();
    prepare?.(server);
    first.send(bookmark);
    first.end();
    await end(server);
    const last = await server.nextWatch();
    last.send({ type: 'MODIFIED', object: podObject('web', '32') });
    await until(() => watching.changes.length === 2, { what: 'the change after the resumption' });

    expect(names(watching.changes)).toEqual(['listed ', 'applied web']);
    expect(last.query['resourceVersion']).toBe('30');
    expect(server.requests.filter(({ kind }) => kind === 'list')).toHaveLength(1);
  },
);

test('resumes from the last event when no bookmark came after it', async () => {
  await using server = await apiServer();
  await using watching = follow(server);
  const first = await server.nextWatch();
  first.send({ type: 'ADDED', object: podObject('web', '5') });
  await until(() => watching.changes.length === 2, { what: 'the event' });
  first.cut();
  expect((await server.nextWatch()).query['resourceVersion']).toBe('5');
});

/** What makes it impossible to resume. */
const relisted: readonly {
  readonly name: string;
  readonly timeLimits?: TimeLimits;
  readonly end: (server: ApiServer) => Promise<void>;
}[] = [
  ...[
    { name: 'an ERROR event has status 410', line: { type: 'ERROR', object: statusObject(410, 'Expired') } },
    { name: 'an event has no version', line: { type: 'ADDED', object: {} } },
    { name: 'a line is not an event', line: ['?'] },
    { name: 'a line is too long', line: { type: 'ADDED', object: podObject('x'.repeat(20_000), '3') } },
  ].map(({ name, line }) => ({
    name,
    end: async (server: ApiServer) => (await server.nextWatch()).send(line),
  })),
  ...[400, 410, 422].map((status) => ({
    name: `a watch is refused with ${status}`,
    async end(server: ApiServer) {
      server.script.watch.push(refusal(status, 'Expired'));
      (await server.nextWatch()).cut();
    },
  })),
  {
    name: 'a watch returns nothing, not even a bookmark',
    timeLimits: (watch) => (watch === 0 ? { idleMs: 50 } : {}),
    end: async (server) => {
      await server.nextWatch();
    },
  },
  {
    name: 'a watch is refused with 500 repeatedly',
    end: async (server) => {
      server.script.watch.push(...Array.from({ length: 5 }, () => refusal(500, 'Unknown')));
      (await server.nextWatch()).cut();
    },
  },
  {
    name: 'the server does not have that version yet',
    async end(server) {
      const cause = { reason: 'ResourceVersionTooLarge', message: 'Too large resource version' };
      const body = { ...statusObject(504, 'Timeout'), details: { causes: [cause] } };
      server.script.watch.push({ kind: 'json', status: 504, body });
      (await server.nextWatch()).cut();
    },
  },
];

test.each(relisted)('lists again when $name', { repeats: 4 }, async ({ name, timeLimits, end }) => {
  await using server = await apiServer();
  server.script.list.push(list('10', [podObject('old', '1')]), list('20', [podObject('new', '15')]));
  await using watching = follow(server, { lineBytes: 10_000 }, timeLimits);
  await end(server);
  await until(() => watching.changes.length === 2, { what: 'the second list' });

  expect(names(watching.changes)).toEqual(['listed old', 'listed new']);
  const lists = server.requests.filter(({ kind }) => kind === 'list');
  // What has expired, a cache has in a newer version.
  const isExpired = name.includes('410');
  expect(lists.map(({ query }) => [query['resourceVersion'], query['resourceVersionMatch']])).toEqual([
    ['0', undefined],
    isExpired ? ['10', 'NotOlderThan'] : [undefined, undefined],
  ]);
  await until(() => server.watches.at(-1)?.query['resourceVersion'] === '20', {
    what: 'a watch from its version',
  });
});

test('lists no more often than the backoff when every watch is refused with 410', async () => {
  await using server = await apiServer();
  server.script.watch.push(...Array.from({ length: 40 }, () => refusal(410, 'Expired')));
  const waits: number[] = [];
  const random = () => {
    waits.push(server.requests.filter(({ kind }) => kind === 'list').length);
    return 0;
  };
  await using watching = follow(server, { backoff: { minMs: 2, maxMs: 8, random } });
  await until(() => waits.length >= 10, { what: 'ten waits' });
  // One wait between each list and the next.
  expect(waits.slice(0, 10)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  expect(names(watching.changes).slice(0, 2)).toEqual(['listed ', 'listed ']);
});

test('lists again at once when the last list was long ago, and otherwise after longer and longer waits', async () => {
  await using server = await apiServer();
  server.script.watch.push(refusal(410, 'Expired'), refusal(410, 'Expired'), refusal(410, 'Expired'));
  const backoff = { minMs: 10, maxMs: 1_000, random: () => 1 };
  await using watching = follow(server, { backoff, calmMs: 1_000 });
  const stream = await server.nextWatch();
  // The test is about this time; the server is away at its end.
  server.script.watch.push({ kind: 'cut' }, { kind: 'cut' }, refusal(410, 'Expired'));
  await setTimeout(1_100);
  stream.cut();
  await server.nextWatch();
  const waits = [10, 20, 40].map((waitMs) => ({ waitMs, next: 'list' }));
  expect(watching.log.lines.slice(0, 3).map(({ fields }) => fields)).toMatchObject(waits);
  expect(watching.log.lines.at(-1)?.fields).toMatchObject({ waitMs: 10, next: 'list' });
});

test.each([
  { name: 'is refused', answer: refusal(403, 'Forbidden') },
  { name: 'fails', answer: refusal(500, 'InternalError') },
  { name: 'is cut', answer: { kind: 'cut' } as const },
  { name: 'is not a list', answer: { kind: 'json', body: { kind: 'Pod' } } as const },
])('tries again when the first list $name, and reports it', { repeats: 4 }, async ({ answer }) => {
  await using server = await apiServer();
  server.script.list.push(answer, answer, list('9', [podObject('web', '1')]));
  await using watching = follow(server);
  await until(() => watching.changes.length === 1, { what: 'the list' });
  expect(names(watching.changes)).toEqual(['listed web']);
  expect(watching.states.slice(0, 2).map(({ kind }) => kind)).toEqual(['disconnected', 'disconnected']);
  expect(watching.log.lines.filter(({ message }) => message === 'watch interrupted')).toHaveLength(2);
});

test('waits as long as Retry-After asks for', { repeats: 4 }, async () => {
  await using server = await apiServer();
  server.script.list.push(refusal(429, 'TooManyRequests', { 'retry-after': '40' }));
  await using watching = follow(server);
  const line = await until(() => watching.log.lines[0], { what: 'the line' });
  expect(line.fields).toMatchObject({ status: 429, waitMs: expect.closeTo(40_000, -2) });
  // A request that it sent at once would have arrived before this answer.
  await using client = kubernetesClient(server.config);
  await client.get({ path: '/version' });
  expect(server.requests.map(({ kind }) => kind)).toEqual(['list', 'read']);
});

test('tries an unreachable server every few seconds, one that refuses less and less often, and resumes', async () => {
  await using server = await apiServer();
  server.script.watch.push(
    // One more than the waits: a kept connection that turns out to be dead is replaced at once.
    ...Array.from({ length: 13 }, () => ({ kind: 'cut' }) as const),
    ...Array.from({ length: 4 }, () => refusal(503, 'ServiceUnavailable')),
  );
  const limits = { backoff: { minMs: 1, maxMs: 60_000, random: () => 1 }, unreachableMs: 4 };
  await using watching = follow(server, { ...limits, settledMs: 60_000 });
  await server.nextWatch();
  const waits = [1, 2, ...Array.from({ length: 10 }, () => 4), 1, 2, 4, 8];
  expect(watching.log.lines.map(({ fields }) => fields)).toMatchObject(waits.map((waitMs) => ({ waitMs })));
  expect(server.requests.filter(({ kind }) => kind === 'list')).toHaveLength(1);
});

test.each([
  { name: 'fails', answers: [refusal(500, 'InternalError')] },
  { name: 'is cut', answers: [{ kind: 'cut' }, { kind: 'cut' }] as const },
])(
  'starts again at the first page when a later one $name, and reports no part of a list',
  { repeats: 4 },
  async ({ answers }) => {
    await using server = await apiServer();
    const [firstPage, whole] = [list('10', [podObject('a', '1')], 'more'), list('12', [podObject('b', '2')])];
    server.script.list.push(firstPage, ...answers, whole);
    await using watching = follow(server);
    expect((await server.nextWatch()).query['resourceVersion']).toBe('12');
    expect(names(watching.changes)).toEqual(['listed b']);
    const lists = server.requests.filter(({ kind }) => kind === 'list').map(({ query }) => query['continue']);
    expect(lists).toEqual([undefined, ...answers.map(() => 'more'), undefined]);
  },
);

test('a watch that brings only bookmarks stays open, and the next one starts at the last', {
  repeats: 4,
}, async () => {
  await using server = await apiServer();
  await using watching = follow(server);
  const stream = await server.nextWatch();
  for (let version = 20; version <= 70; version += 1) {
    stream.send({
      type: 'BOOKMARK',
      object: { kind: 'Pod', metadata: { resourceVersion: String(version) } },
    });
  }
  stream.end();
  expect((await server.nextWatch()).query['resourceVersion']).toBe('70');
  expect(names(watching.changes)).toEqual(['listed ']);
});

test('reads an event that arrives byte by byte, multi-byte characters too', async () => {
  await using server = await apiServer();
  await using watching = follow(server);
  const stream = await server.nextWatch();
  const object = podObject('web', '5', { 'podcap.dev/filter': 'héllo 🐙' });
  for (const byte of Buffer.from(`${JSON.stringify({ type: 'ADDED', object })}\n`))
    stream.bytes(Buffer.of(byte));
  await until(() => watching.changes.length === 2, { what: 'the event' });
  expect(watching.changes[1]).toMatchObject({ object: { annotations: { 'podcap.dev/filter': 'héllo 🐙' } } });
});

test('skips an invalid object, names the field and continues', async () => {
  await using server = await apiServer();
  await using watching = follow(server);
  const stream = await server.nextWatch();
  stream.send({ type: 'ADDED', object: { metadata: { name: 5, resourceVersion: '6' } } });
  stream.send({ type: 'ADDED', object: podObject('web', '7') });
  await until(() => watching.changes.length === 2, { what: 'the valid one' });
  expect(names(watching.changes)).toEqual(['listed ', 'applied web']);
  expect(watching.log.lines[0]?.fields).toMatchObject({ problem: expect.stringContaining('metadata.name:') });
});

test('is synced once its list was read, and reports when it loses the server', async () => {
  await using server = await apiServer();
  await using watching = follow(server, { backoff: { minMs: 60_000, maxMs: 60_000 } });
  const stream = await server.nextWatch();
  await until(() => watching.states.length > 0, { what: 'a state' });
  expect(watching.states.every(({ kind }) => kind === 'synced')).toBe(true);
  stream.cut();
  const disconnected = await until(() => watching.states.find(({ kind }) => kind === 'disconnected'), {
    what: 'the loss',
  });
  expect(disconnected).toMatchObject({ sinceMs: expect.any(Number), message: expect.stringContaining(path) });
});

test('does not read on while its reader is slow, and does not mistake that for silence', async () => {
  await using server = await apiServer();
  const client = kubernetesClient(server.config);
  const stop = new AbortController();
  const changes = watchCollection({
    client,
    path,
    parse: parsePod,
    log: memoryLog(),
    signal: stop.signal,
    limits: { idleMs: 1_000 },
  });
  // Sent together with the head, so that a busy machine has no time to find the watch silent.
  const text = watchLine({ type: 'ADDED', object: podObject('first', '2') });
  server.script.watch.push({ kind: 'watch', text });
  await changes.next();
  expect((await changes.next()).value).toMatchObject({ object: { name: 'first' } });
  const stream = await server.nextWatch();
  // Longer than the silence that ends a watch; the reader asks for nothing meanwhile.
  const padded = { ...podObject('more', '3'), padding: 'x'.repeat(1_000_000) };
  for (let count = 0; count < 20; count += 1) stream.send({ type: 'ADDED', object: padded });
  const slowUntil = performance.now() + 2_000;
  await until(() => performance.now() > slowUntil, { what: 'twice the silence' });
  expect(stream.isClosed()).toBe(false);
  // The rest still waits in the server: sockets buffer less than 20 MB.
  expect(stream.unsentBytes()).toBeGreaterThan(1_000_000);
  expect((await changes.next()).value).toMatchObject({ object: { name: 'more' } });
  expect(server.watches).toHaveLength(1);
  stop.abort();
  await client[Symbol.asyncDispose]();
});

test.each([
  {
    name: 'while it watches',
    prepare: async (server: ApiServer) => {
      await server.nextWatch();
    },
  },
  {
    name: 'while it waits to try again',
    prepare: async (server: ApiServer) => {
      server.script.list.push(refusal(429, 'TooManyRequests', { 'retry-after': '60' }));
      await until(() => server.requests.length > 0, { what: 'the refusal' });
    },
  },
  {
    name: 'while it waits for a response',
    prepare: async (server: ApiServer) => {
      server.script.list.push({ kind: 'silence' });
      await until(() => server.requests.length > 0, { what: 'the request' });
    },
  },
])('ends cleanly when the signal aborts $name', async ({ prepare }) => {
  await using server = await apiServer();
  const prepared = prepare(server);
  await using watching = follow(server);
  await prepared;
  watching.stop.abort();
  await watching.done;
  expect(getEventListeners(watching.stop.signal, 'abort')).toHaveLength(0);
});

test('leaves no listener behind after hundreds of watches', async () => {
  await using server = await apiServer();
  await using watching = follow(server);
  for (let count = 0; count < 300; count += 1) {
    const stream = await server.nextWatch();
    if (count % 2 === 0) stream.end();
    else stream.cut();
  }
  await server.nextWatch();
  expect(getEventListeners(watching.stop.signal, 'abort').length).toBeLessThanOrEqual(1);
});

test('closes its connection when its reader leaves', async () => {
  await using server = await apiServer();
  await using client = kubernetesClient(server.config);
  const stop = new AbortController();
  const changes = watchCollection({ client, path, parse: parsePod, log: memoryLog(), signal: stop.signal });
  await changes.next();
  const pending = changes.next();
  const stream = await server.nextWatch();
  stream.send({ type: 'ADDED', object: podObject('web', '2') });
  await pending;
  await changes.return(undefined);
  await until(() => stream.isClosed(), { what: 'the end of the connection' });
  expect(getEventListeners(stop.signal, 'abort')).toHaveLength(0);
});

function names(changes: readonly Change<Pod>[]): string[] {
  return changes.map((change) => {
    const objects = change.kind === 'listed' ? change.items : [change.object];
    return `${change.kind} ${objects.map(({ name }) => name).join(',')}`;
  });
}
