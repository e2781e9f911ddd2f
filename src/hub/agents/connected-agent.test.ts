import type { ServerHttp2Stream } from 'node:http2';
import { text } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import { until } from '../../base/until.ts';
import { respondUntilComplete } from '../../link/complete-answer.ts';
import { type LinkScene, linkScene } from '../testing/link-scene.ts';
import type { TestAgentHandler } from '../testing/test-agent.ts';
import { type AgentLink, AgentUnavailable } from './agent-link.ts';

const unlimited = () => ({ signal: AbortSignal.timeout(60_000), responseMs: 60_000 });

test('an answer has status, type and body, and the agent sees path, query and headers', async () => {
  await using scene = await linkScene();
  await using linked = await connectWith(scene, (stream, query) => {
    respondUntilComplete(stream, { ':status': 418, 'content-type': 'text/plain' });
    stream.end(`filter ${query.get('filter')} and ${query.get('missing')}`);
  });
  const query = { filter: 'tcp port 80 & "a"', missing: undefined };
  const answer = await linked.link.request({ method: 'DELETE', path: '/v1/try', query, ...unlimited() });
  expect([answer.status, answer.contentType]).toEqual([418, 'text/plain']);
  expect(await text(answer.body)).toBe('filter tcp port 80 & "a" and null');
  expect(linked.agent.requests).toContain('DELETE /v1/try?filter=tcp+port+80+%26+%22a%22');
});

/** An agent that answers /v1/try so. */
async function connectWith(scene: LinkScene, handler: TestAgentHandler) {
  const agent = await scene.connect({ handlers: { '/v1/try': handler } });
  const link = await until(() => scene.server.agents.ofNode('node-1')[0], { what: 'the link' });
  return { agent, link, [Symbol.asyncDispose]: agent[Symbol.asyncDispose] };
}

function get(link: AgentLink, options: Partial<ReturnType<typeof unlimited>> = {}) {
  return link.request({ method: 'GET', path: '/v1/try', ...unlimited(), ...options });
}

test.each([
  ['resets the stream', (stream: ServerHttp2Stream) => stream.close(2)],
  ['cancels the stream', (stream: ServerHttp2Stream) => stream.close(8)],
  ['destroys the stream', (stream: ServerHttp2Stream) => stream.destroy()],
  ['destroys the stream with an error', (stream: ServerHttp2Stream) => stream.destroy(new Error('x'))],
  ['ends the session', (stream: ServerHttp2Stream) => stream.session?.destroy()],
  ['ends the connection', (stream: ServerHttp2Stream) => stream.session?.socket.destroy()],
])('an answer that is cut is never one that has ended: the agent %s', async (_what, cut) => {
  await using scene = await linkScene();
  await using linked = await connectWith(scene, (stream) => {
    respondUntilComplete(stream, { ':status': 200 });
    stream.write('begun', () => cut(stream));
  });
  const reading = get(linked.link).then(({ body }) => text(body));
  await expect(reading).rejects.toThrow(AgentUnavailable);
});

test('an answer whose end does not say that it is complete is cut', async () => {
  await using scene = await linkScene();
  await using linked = await connectWith(scene, (stream) => {
    stream.respond({ ':status': 200 });
    stream.end('all');
  });
  const { body } = await get(linked.link);
  await expect(text(body)).rejects.toThrow('was cut');
});

test('an answer without a body is complete', async () => {
  await using scene = await linkScene();
  await using linked = await connectWith(scene, (stream) =>
    stream.respond({ ':status': 204 }, { endStream: true }),
  );
  expect(await text((await get(linked.link)).body)).toBe('');
});

test('an agent that does not answer in time is unavailable, and its link stays', async () => {
  await using scene = await linkScene();
  let closed = false;
  await using linked = await connectWith(scene, (stream) => {
    stream.on('close', () => {
      closed = true;
    });
  });
  await expect(get(linked.link, { responseMs: 20 })).rejects.toThrow('does not answer within 20 ms');
  await until(() => closed, { what: 'the agent to know' });
  expect(linked.agent.isClosed()).toBe(false);
});

test('aborting a request ends what the agent does for it', async () => {
  await using scene = await linkScene();
  let closed = false;
  await using linked = await connectWith(scene, (stream) => {
    respondUntilComplete(stream, { ':status': 200 });
    stream.write('begun');
    stream.on('close', () => {
      closed = true;
    });
  });
  const gone = new AbortController();
  const { body } = await get(linked.link, { signal: gone.signal });
  const reading = text(body);
  gone.abort(new Error('the client has gone'));
  await expect(reading).rejects.toThrow('the client has gone');
  await until(() => closed, { what: 'the agent to know' });
  expect(linked.agent.isClosed()).toBe(false);
});

test('a reader that stalls keeps no more than its window, and no other waits for it', async () => {
  await using scene = await linkScene();
  let sent = 0;
  const chunk = Buffer.alloc(64 * 1024);
  await using linked = await connectWith(scene, (stream, query) => {
    respondUntilComplete(stream, { ':status': 200 });
    if (query.get('end')) return void stream.end('short');
    const write = () => {
      if (stream.destroyed) return;
      stream.write(chunk, () => {
        sent += chunk.length;
        write();
      });
    };
    write();
  });
  const stalled = await Promise.all(Array.from({ length: 20 }, () => get(linked.link)));
  await until(() => sent >= 20 * 512 * 1024, { what: 'the windows to be full' });
  const answer = await linked.link.request({
    method: 'GET',
    path: '/v1/try',
    query: { end: '1' },
    ...unlimited(),
  });
  expect(await text(answer.body)).toBe('short');
  expect(sent).toBeLessThan(20 * 2 * 512 * 1024);
  for (const { body } of stalled) body.destroy();
});

test('more requests at once than an agent may have are refused', async () => {
  await using scene = await linkScene();
  await using linked = await connectWith(scene, (stream) => respondUntilComplete(stream, { ':status': 200 }));
  const open: Promise<unknown>[] = [];
  for (let i = 0; i < 126; i += 1) open.push(get(linked.link));
  await Promise.all(open);
  const more = Promise.all([get(linked.link), get(linked.link), get(linked.link)]);
  await expect(more).rejects.toThrow('too many requests');
});

test('a request to an agent that has gone is refused at once', async () => {
  await using scene = await linkScene();
  const { link, agent } = await connectWith(scene, () => {});
  await agent[Symbol.asyncDispose]();
  await until(() => scene.server.agents.all().length === 0, { what: 'the agent to be gone' });
  await expect(get(link)).rejects.toThrow(AgentUnavailable);
});
