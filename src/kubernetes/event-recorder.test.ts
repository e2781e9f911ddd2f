import { expect, test } from 'vitest';
import { until } from '../base/until.ts';
import { kubernetesClient } from './client.ts';
import type { EventLimits } from './event-limits.ts';
import { cutMessage, eventName, type PodEvent } from './event-object.ts';
import { eventRecorder } from './event-recorder.ts';
import { spamFilter } from './spam-filter.ts';
import { type ApiServer, apiServer, refusal, type ScriptedAnswer } from './testing/api-server.ts';
import { memoryLog } from './testing/memory-logger.ts';

const pod = { namespace: 'default', name: 'web', uid: 'u1', resourceVersion: '7' };

test('writes an Event that kubectl shows for the Pod', async () => {
  await using setup = await recorderScene();
  setup.recorder.record(started);
  expect(await setup.recorder.flush(5_000)).toBe(true);
  expect(setup.server.requests).toMatchObject([
    {
      method: 'POST',
      path: '/api/v1/namespaces/default/events',
      body: {
        metadata: { namespace: 'default', name: expect.stringMatching(/^web\.[0-9a-f]{16}$/) },
        involvedObject: { apiVersion: 'v1', kind: 'Pod', ...pod },
        type: 'Normal',
        reason: 'CaptureStarted',
        message: 'message',
        count: 1,
        source: { component: 'podcap', host: 'node1' },
        reportingComponent: 'podcap.dev/agent',
        reportingInstance: 'node1',
      },
    },
  ]);
});

test('writes nothing of the Pod but a reference to it', async () => {
  await using setup = await recorderScene();
  const whole = { ...pod, annotations: { secret: 'x' } };
  setup.recorder.record({ ...started, pod: whole });
  await setup.recorder.flush(5_000);
  expect(JSON.stringify(setup.server.requests[0]?.body)).not.toContain('secret');
});

test('increments the count of a repeated Event', async () => {
  await using setup = await recorderScene();
  for (let count = 0; count < 3; count += 1) {
    setup.recorder.record(started);
    await setup.recorder.flush(5_000);
  }
  expect(setup.server.requests.map(({ method }) => method)).toEqual(['POST', 'PATCH', 'PATCH']);
  expect(setup.server.requests[2]?.path).toBe(
    `/api/v1/namespaces/default/events/${createdName(setup.server)}`,
  );
  expect(setup.server.requests[2]?.body).toEqual({ count: 3, lastTimestamp: expect.any(String) });
});

test('Events about the same subject are one Event, with a count and the newest message', async () => {
  await using setup = await recorderScene();
  for (const message of ['10 packets', '20 packets']) {
    setup.recorder.record({ ...started, message, subject: 'progress' });
    await setup.recorder.flush(5_000);
  }
  expect(setup.server.requests.map(({ method }) => method)).toEqual(['POST', 'PATCH']);
  const body = { count: 2, lastTimestamp: expect.any(String), message: '20 packets' };
  expect(setup.server.requests[1]?.body).toEqual(body);
});

test('a correction replaces the message, and is not another occurrence', async () => {
  await using setup = await recorderScene();
  const unknown = { ...started, message: 'not known yet', subject: 'start 1' };
  const known = { ...unknown, message: 'no gap', isCorrection: true };
  setup.recorder.record(unknown);
  await setup.recorder.flush(5_000);
  setup.recorder.record(known);
  await setup.recorder.flush(5_000);
  const body = { count: 1, lastTimestamp: expect.any(String), message: 'no gap' };
  expect(bodies(setup.server).slice(1)).toEqual([body]);
});

test('a correction of an Event that still waits is written with it', async () => {
  await using setup = await recorderScene();
  setup.server.script.write.push(refusal(503, 'ServiceUnavailable'));
  setup.recorder.record({ ...started, reason: 'First' });
  setup.recorder.record({ ...started, message: 'not known yet', subject: 'start 1' });
  setup.recorder.record({ ...started, message: 'no gap', subject: 'start 1', isCorrection: true });
  await setup.recorder.flush(5_000);
  expect(bodies(setup.server).at(-1)).toMatchObject({ message: 'no gap', count: 1 });
});

test('a correction is written as a new Event when the API server has deleted the one to correct', async () => {
  await using setup = await recorderScene();
  const unknown = { ...started, message: 'not known yet', subject: 'start 1' };
  setup.recorder.record(unknown);
  await setup.recorder.flush(5_000);
  setup.server.script.write.push(refusal(404, 'NotFound'));
  setup.recorder.record({ ...unknown, message: 'no gap', isCorrection: true });
  await setup.recorder.flush(5_000);
  expect(setup.server.requests.map(({ method }) => method)).toEqual(['POST', 'PATCH', 'POST']);
  expect(bodies(setup.server).at(-1)).toMatchObject({ message: 'no gap', count: 1 });
});

test('writes one Event, with a count, for equal Events that wait together', async () => {
  await using setup = await recorderScene();
  setup.server.script.write.push(refusal(503, 'ServiceUnavailable'));
  setup.recorder.record({ ...started, reason: 'First' });
  setup.recorder.record(started);
  setup.recorder.record(started);
  await setup.recorder.flush(5_000);
  expect(bodies(setup.server).at(-1)).toMatchObject({ reason: 'CaptureStarted', count: 2 });
  expect(setup.recorder.counts().written).toBe(3);
});

test('writes a new Event when the API server has deleted the one to increment', async () => {
  await using setup = await recorderScene();
  setup.recorder.record(started);
  await setup.recorder.flush(5_000);
  setup.server.script.write.push(refusal(404, 'NotFound'));
  setup.recorder.record(started);
  await setup.recorder.flush(5_000);
  expect(setup.server.requests.map(({ method }) => method)).toEqual(['POST', 'PATCH', 'POST']);
  expect(bodies(setup.server).at(-1)).toMatchObject({ count: 1 });
});

test.each([
  { name: 'another message', event: { message: 'other' } },
  { name: 'another reason', event: { reason: 'Other' } },
  { name: 'another type', event: { type: 'Warning' as const } },
  { name: 'a new Pod of the same name', event: { pod: { ...pod, uid: 'u2' } } },
])('writes another Event for $name', async ({ event }) => {
  await using setup = await recorderScene();
  setup.recorder.record(started);
  setup.recorder.record({ ...started, ...event });
  await setup.recorder.flush(5_000);
  expect(setup.server.requests.map(({ method }) => method)).toEqual(['POST', 'POST']);
});

test.each<{ name: string; answer: ScriptedAnswer }>([
  { name: 'cuts the connection', answer: { kind: 'cut' } },
  { name: 'fails', answer: refusal(500, 'InternalError') },
  { name: 'is busy', answer: refusal(429, 'TooManyRequests') },
])('tries again with the same name when the API server $name', async ({ answer }) => {
  await using setup = await recorderScene();
  setup.server.script.write.push(answer, answer);
  setup.recorder.record(started);
  await setup.recorder.flush(5_000);
  expect(new Set(bodies(setup.server).map((body) => JSON.stringify(body)))).toHaveLength(1);
  expect(setup.server.requests).toHaveLength(3);
  expect(setup.recorder.counts()).toEqual({ written: 1, dropped: 0, suppressed: 0, failed: 0 });
});

test('takes AlreadyExists as success: the response to an earlier try was lost', async () => {
  await using setup = await recorderScene();
  setup.server.script.write.push(refusal(409, 'AlreadyExists'));
  setup.recorder.record(started);
  await setup.recorder.flush(5_000);
  expect(setup.recorder.counts().written).toBe(1);
});

test.each([
  { status: 403, reason: 'Forbidden' },
  { status: 404, reason: 'NotFound' },
  { status: 422, reason: 'Invalid' },
])('gives up at $status, logs it, and continues with the next Event', async ({ status, reason }) => {
  await using setup = await recorderScene();
  setup.server.script.write.push(refusal(status, reason));
  setup.recorder.record(started);
  setup.recorder.record({ ...started, reason: 'Next' });
  await setup.recorder.flush(5_000);
  expect(setup.server.requests).toHaveLength(2);
  expect(setup.recorder.counts()).toMatchObject({ written: 1, failed: 1 });
  expect(setup.log.lines).toMatchObject([
    { message: 'failed to write event', fields: { status, pod: 'default/web' } },
  ]);
});

test('gives up on a server that keeps failing', async () => {
  await using setup = await recorderScene({ tries: 3 });
  setup.server.script.write.push(...Array.from({ length: 9 }, () => refusal(500, 'InternalError')));
  setup.recorder.record(started);
  await setup.recorder.flush(5_000);
  expect(setup.server.requests).toHaveLength(3);
  expect(setup.recorder.counts().failed).toBe(1);
});

test('writes a burst at once, the rest at the rate limit, and at its end all that is left', async () => {
  await using setup = await recorderScene({ rate: { burst: 2, everyMs: 3_600_000 } });
  for (const reason of reasons) setup.recorder.record({ ...started, reason });
  await until(() => setup.recorder.counts().written === 2, { what: 'the burst to be written' });
  expect(await setup.recorder.flush(50)).toBe(false);
  expect(bodies(setup.server)).toMatchObject([{ reason: 'A' }, { reason: 'B' }]);
  await setup.recorder[Symbol.asyncDispose]();
  expect(bodies(setup.server)).toMatchObject(reasons.map((reason) => ({ reason })));
  expect(setup.recorder.counts()).toMatchObject({ written: 4, dropped: 0 });
});

test('lets no Event wait for the rate limit longer than the maximum delay', async () => {
  await using setup = await recorderScene({ rate: { burst: 1, everyMs: 3_600_000 }, maxDelayMs: 20 });
  for (const reason of reasons) setup.recorder.record({ ...started, reason });
  expect(await setup.recorder.flush(5_000)).toBe(true);
  expect(bodies(setup.server)).toMatchObject(reasons.map((reason) => ({ reason })));
});

test('ignores the rate limit while more than a quarter of the queue is full', async () => {
  await using setup = await recorderScene({ rate: { burst: 1, everyMs: 3_600_000 }, queue: 8 });
  for (const reason of reasons) setup.recorder.record({ ...started, reason });
  await until(() => setup.recorder.counts().written === 2, { what: 'two to be written' });
  expect(await setup.recorder.flush(50)).toBe(false);
  expect(setup.recorder.counts()).toMatchObject({ written: 2, dropped: 0 });
});

test('ends the current wait when more than a quarter of the queue becomes full', async () => {
  await using setup = await recorderScene({
    rate: { burst: 1, everyMs: 3_600_000 },
    maxDelayMs: 3_600_000,
    queue: 8,
  });
  setup.recorder.record({ ...started, reason: 'A' });
  await until(() => setup.recorder.counts().written === 1, { what: 'the first to be written' });
  setup.recorder.record({ ...started, reason: 'B' });
  expect(await setup.recorder.flush(50)).toBe(false);
  for (const reason of ['C', 'D']) setup.recorder.record({ ...started, reason });
  await until(() => setup.recorder.counts().written === 2, { what: 'the second to be written' });
  expect(await setup.recorder.flush(50)).toBe(false);
  expect(setup.recorder.counts()).toMatchObject({ written: 2, dropped: 0 });
});

test('drops the oldest waiting Event when the queue is full', async () => {
  await using setup = await recorderScene({ queue: 2 });
  for (const reason of ['InFlight', 'Dropped', 'Kept', 'Last']) setup.recorder.record({ ...started, reason });
  await setup.recorder.flush(5_000);
  expect(bodies(setup.server)).toMatchObject([
    { reason: 'InFlight' },
    { reason: 'Kept' },
    { reason: 'Last' },
  ]);
  expect(setup.recorder.counts()).toMatchObject({ written: 3, dropped: 1 });
});

test('suppresses too many Events about one Pod, and only about that Pod', async () => {
  await using setup = await recorderScene({ spam: { burst: 2 } });
  for (const reason of ['A', 'B', 'C']) setup.recorder.record({ ...started, reason });
  setup.recorder.record({ ...started, pod: { ...pod, uid: 'u2' } });
  await setup.recorder.flush(5_000);
  expect(setup.recorder.counts()).toMatchObject({ written: 3, suppressed: 1 });
});

test('ends within its deadline when the API server does not answer, and counts what was not written', async () => {
  await using setup = await recorderScene({ flushMs: 20 });
  setup.server.script.write.push({ kind: 'silence' });
  setup.recorder.record(started);
  setup.recorder.record({ ...started, reason: 'Next' });
  await until(() => setup.server.requests.length === 1, { what: 'the first request' });
  expect(await setup.recorder.flush(1)).toBe(false);
  await setup.recorder[Symbol.asyncDispose]();
  await setup.recorder[Symbol.asyncDispose]();
  setup.recorder.record({ ...started, reason: 'Late' });
  expect(setup.recorder.counts()).toEqual({ written: 0, dropped: 2, suppressed: 0, failed: 1 });
});

test('lets a burst pass, then one for each refill, separately for each key', () => {
  let now = 0;
  const passes = spamFilter({ burst: 3, refillMs: 100, keys: 10 }, () => now);
  expect(Array.from({ length: 4 }, () => passes('a'))).toEqual([true, true, true, false]);
  expect(passes('b')).toBe(true);
  now = 100;
  expect([passes('a'), passes('a')]).toEqual([true, false]);
  now = 100_000;
  expect(Array.from({ length: 4 }, () => passes('a'))).toEqual([true, true, true, false]);
});

test.each([
  { name: 'short', message: 'x'.repeat(1_024), bytes: 1_024 },
  { name: 'long', message: 'x'.repeat(1_025), bytes: 1_024 },
  { name: 'long, of two-byte characters', message: 'é'.repeat(1_000), bytes: 1_023 },
  { name: 'long, of four-byte characters', message: '🐙'.repeat(1_000), bytes: 1_023 },
])('cuts a message that is $name between two characters', ({ message, bytes }) => {
  const cut = cutMessage(message);
  expect(Buffer.byteLength(cut)).toBe(bytes);
  expect(message.startsWith(cut.replace(/…$/, ''))).toBe(true);
});

test.each(['web', 'a'.repeat(253), `${'a'.repeat(235)}.${'b'.repeat(17)}`])(
  'names the Event of the Pod %s',
  (name) => {
    const parts = eventName(name).split('.');
    expect(eventName(name).length).toBeLessThanOrEqual(253);
    expect(parts.every((part) => /^[a-z0-9]+$/.test(part))).toBe(true);
    expect(eventName(name)).not.toBe(eventName(name));
  },
);

const reasons = ['A', 'B', 'C', 'D'];
const started: PodEvent = { type: 'Normal', reason: 'CaptureStarted', message: 'message', pod };

async function recorderScene(limits: Partial<EventLimits> = {}) {
  const server = await apiServer();
  const client = kubernetesClient(server.config);
  const log = memoryLog();
  const recorder = eventRecorder({
    client,
    nodeName: 'node1',
    log: { ...log, debug: () => {} },
    limits: { backoff: { minMs: 1, maxMs: 4 }, ...limits },
  });
  return {
    server,
    recorder,
    log,
    async [Symbol.asyncDispose]() {
      await recorder[Symbol.asyncDispose]();
      await client[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
    },
  };
}

function bodies(server: ApiServer): unknown[] {
  return server.requests.map(({ body }) => body);
}

function createdName(server: ApiServer): string {
  const body = server.requests[0]?.body;
  return /"name":"(web\.[0-9a-f]+)"/.exec(JSON.stringify(body))?.[1] ?? 'none';
}
