import { expect, onTestFinished, test } from 'vitest';
import type { Capture, CaptureRecording } from '../../api/capture.ts';
import { kubernetesClient } from '../../kubernetes/client.ts';
import { objectTime } from '../../kubernetes/object-time.ts';
import { apiServer, refusal, type ScriptedAnswer } from '../../kubernetes/testing/api-server.ts';
import { memoryLog } from '../../kubernetes/testing/memory-logger.ts';
import { type NamespacesLimits, namespaces } from './namespaces.ts';

const created = '2026-11-30T10:00:00Z';

function recording(uid: string, startTime: string): CaptureRecording {
  return {
    uid,
    node: 'node1',
    phase: 'Capturing',
    phaseSince: startTime,
    startTime,
    interfaces: ['eth0'],
    requestedBy: { kind: 'Annotation' },
    files: 1,
    bytes: 24,
  };
}

function captureOf(namespace: string, ...recordings: readonly CaptureRecording[]): Capture {
  return {
    apiVersion: 'podcap.dev/v1alpha1',
    kind: 'Capture',
    metadata: {
      name: 'web',
      namespace,
      uid: 'u',
      resourceVersion: '1',
      creationTimestamp: objectTime(Date.parse(recordings.at(-1)?.startTime ?? created)),
    },
    status: { recordings },
  };
}

const before = recording('before', '2026-11-30T09:59:59.999Z');
const atOnce = recording('at-once', '2026-11-30T10:00:00.000Z');
const after = recording('after', '2026-11-30T11:30:00.5Z');

function namespaceObject(creationTimestamp: string): ScriptedAnswer {
  return { kind: 'json', body: { kind: 'Namespace', metadata: { creationTimestamp } } };
}

async function scene(answers: readonly ScriptedAnswer[], limits: Partial<NamespacesLimits> = {}) {
  const server = await apiServer();
  const client = kubernetesClient(server.config);
  onTestFinished(async () => {
    await client[Symbol.asyncDispose]();
    await server[Symbol.asyncDispose]();
  });
  server.script.read.push(...answers);
  const log = memoryLog();
  return { server, log, checked: namespaces({ client, log, limits }) };
}

const never = new AbortController().signal;

test('a capture that is younger than its namespace is the same object', async () => {
  const { server, checked } = await scene([namespaceObject(created)]);
  const capture = captureOf('shop', after, atOnce);
  const { captures, unchecked } = await checked.visible([capture], never);
  expect(captures[0]).toBe(capture);
  expect(unchecked).toEqual([]);
  expect(server.requests).toMatchObject([{ method: 'GET', path: '/api/v1/namespaces/shop' }]);
});

test('leaves out recordings that are older than the namespace', async () => {
  const { checked } = await scene([namespaceObject(created)]);
  const { captures } = await checked.visible([captureOf('shop', after, atOnce, before)], never);
  expect(captures).toEqual([captureOf('shop', after, atOnce)]);
});

test.for([
  ['behind', '2026-11-30T09:59:50.5Z', '2026-11-30T10:00:00Z', 1],
  ['ahead', '2026-11-30T10:00:50.5Z', '2026-11-30T09:59:59Z', 0],
] as const)('the clock of a Node may be %s', async ([, startTime, podCreationTime, served]) => {
  const { checked } = await scene([namespaceObject(created)]);
  const capture = captureOf('shop', { ...recording('one', startTime), podCreationTime });
  expect((await checked.visible([capture], never)).captures).toHaveLength(served);
});

test('a capture without its oldest recordings was created when the next one began, in whole seconds', async () => {
  const { checked } = await scene([namespaceObject(created)]);
  const { captures } = await checked.visible([captureOf('shop', after, before)], never);
  expect(captures[0]?.metadata.creationTimestamp).toBe('2026-11-30T11:30:00Z');
});

test('a namespace that was created again inherits nothing', async () => {
  const { checked } = await scene([namespaceObject(created)]);
  expect(await checked.visible([captureOf('shop', before)], never)).toEqual({ captures: [], unchecked: [] });
});

test('a deletion of before its namespace existed is not told to it', async () => {
  const { checked } = await scene([namespaceObject(created)]);
  const deletedAt = (creationTimestamp: string) => {
    const { metadata, ...capture } = captureOf('shop');
    return { ...capture, metadata: { ...metadata, creationTimestamp } };
  };
  const told = deletedAt('2026-11-30T10:00:00Z');
  const { captures } = await checked.visible([deletedAt('2026-11-30T09:59:59Z'), told], never);
  expect(captures).toEqual([told]);
});

test('a namespace that is gone has nothing', async () => {
  const { checked } = await scene([refusal(404, 'NotFound')]);
  expect(await checked.visible([captureOf('shop', after)], never)).toEqual({ captures: [], unchecked: [] });
});

test('keeps the order, and asks once for each namespace', async () => {
  const { server, checked } = await scene([]);
  server.objects.set('/api/v1/namespaces/a', { metadata: { creationTimestamp: created } });
  server.objects.set('/api/v1/namespaces/b', { metadata: { creationTimestamp: created } });
  const captures = ['b', 'a', 'b', 'a'].map((namespace) => captureOf(namespace, after));
  expect((await checked.visible(captures, never)).captures).toEqual(captures);
  expect(server.requests.map(({ path }) => path).toSorted()).toEqual([
    '/api/v1/namespaces/a',
    '/api/v1/namespaces/b',
  ]);
});

test.for<readonly [string, ScriptedAnswer]>([
  ['fails', refusal(500, 'InternalError')],
  ['refuses the hub', refusal(403, 'Forbidden')],
  ['does not answer', { kind: 'silence' }],
  ['answers something else', { kind: 'json', body: { metadata: {} } }],
])('names the namespaces that could not be checked while the API server %s', async ([, answer]) => {
  const { checked, log } = await scene([answer], { deadlineMs: 200 });
  const capture = captureOf('shop', before);
  expect(await checked.visible([capture], never)).toEqual({ captures: [capture], unchecked: ['shop'] });
  expect(log.lines).toMatchObject([{ message: 'failed to read namespace', fields: { namespace: 'shop' } }]);
});

test('a namespace that gets no answer takes none of the time of those that wait for it', async () => {
  const { server, checked } = await scene([{ kind: 'silence' }], { deadlineMs: 300, inFlight: 1 });
  for (const name of ['b', 'c']) {
    server.objects.set(`/api/v1/namespaces/${name}`, { metadata: { creationTimestamp: created } });
  }
  const captures = ['a', 'b', 'c'].map((name) => captureOf(name, before));
  expect(await checked.visible(captures, never)).toEqual({ captures: [captures[0]], unchecked: ['a'] });
});

test('what waits for too many others is not checked', async () => {
  const { checked } = await scene([{ kind: 'silence' }], { deadlineMs: 30_000, waitMs: 100, inFlight: 1 });
  const asked = new AbortController();
  const first = checked.ageOf('a', asked.signal);
  expect((await checked.visible([captureOf('b', before)], never)).unchecked).toEqual(['b']);
  asked.abort();
  await first;
});

test('that there is no namespace is not believed for long', async () => {
  const limits = { answerMs: 60_000, missingMs: 0 };
  const { server, checked } = await scene([refusal(404, 'NotFound'), namespaceObject(created)], limits);
  for (const visible of [0, 1, 1]) {
    expect((await checked.visible([captureOf('shop', after)], never)).captures).toHaveLength(visible);
  }
  expect(server.requests).toHaveLength(2);
});

test('what could not be checked is asked for again', async () => {
  const { checked } = await scene([refusal(500, 'InternalError'), namespaceObject(created)]);
  expect((await checked.visible([captureOf('shop', before)], never)).unchecked).toEqual(['shop']);
  expect(await checked.visible([captureOf('shop', before)], never)).toEqual({ captures: [], unchecked: [] });
});

test.for<readonly [string, ScriptedAnswer]>([
  ['a namespace', namespaceObject(created)],
  ['that there is none', refusal(404, 'NotFound')],
])('remembers %s for lists, but not for bytes', async ([, answer]) => {
  const { server, checked } = await scene([answer, answer]);
  await checked.visible([captureOf('shop', after)], never);
  await checked.visible([captureOf('shop', after)], never);
  expect(server.requests).toHaveLength(1);
  await checked.ageOf('shop', never);
  expect(server.requests).toHaveLength(2);
});

test('what was answered does not count for ever', async () => {
  const { checked } = await scene([namespaceObject(created), refusal(404, 'NotFound')], { answerMs: 0 });
  expect((await checked.visible([captureOf('shop', after)], never)).captures).toHaveLength(1);
  expect((await checked.visible([captureOf('shop', after)], never)).captures).toHaveLength(0);
});

test.for(['..', '.', '', 'a/b', '../nodes', 'UPPER', 'a?b', 'a%2fb', 'x'.repeat(64)])(
  'does not ask for what is no name of a namespace: %j',
  async (name) => {
    const { server, checked } = await scene([]);
    expect(await checked.visible([captureOf(name, after)], never)).toEqual({ captures: [], unchecked: [] });
    expect(server.requests).toEqual([]);
  },
);

test('stops waiting when the request is gone', async () => {
  const { checked } = await scene([{ kind: 'silence' }]);
  const gone = new AbortController();
  const age = checked.ageOf('shop', gone.signal);
  gone.abort(new Error('the client is gone'));
  expect(await age).toEqual({ kind: 'unknown' });
});
