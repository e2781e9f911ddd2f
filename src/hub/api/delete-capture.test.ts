import { Readable } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { type AgentLink, type AgentRequest, AgentUnavailable } from '../agents/agent-link.ts';
import {
  type MemoryCaptures,
  memoryCaptures,
  testCapture,
  testRecording,
} from './testing/memory-captures.ts';
import { startedHubApi } from './testing/started-hub-api.ts';

const path = '/apis/podcap.dev/v1alpha1/namespaces/shop/captures/web-0';
const live = testRecording({ uid: 'live' });
const ended = testRecording({ uid: 'ended', phase: 'Ended' });
const older = testRecording({ uid: 'older', phase: 'Ended' });
const elsewhere = testRecording({ uid: 'elsewhere', node: 'node-b' });
/** As kubectl sends it. */
const body = '{"kind":"DeleteOptions","apiVersion":"v1","propagationPolicy":"Background"}';

/** An agent that answers each DELETE with a status, after which the captures have the recording no more. */
function deletingAgent(captures: MemoryCaptures, answers: readonly (number | 'cut')[] = []) {
  const requests: AgentRequest[] = [];
  const agent: AgentLink = {
    node: 'node-a',
    podName: 'podcap-x',
    podUid: 'x',
    version: '0.1.0',
    connectedMs: 0,
    async request(request) {
      const answer = answers[requests.length] ?? 200;
      requests.push(request);
      if (answer === 'cut') throw new AgentUnavailable('the connection is gone');
      // The report comes after the answer.
      if (answer === 200) setTimeout(() => void forget(captures, request.query?.['uid']), 50);
      const text = answer === 200 ? '' : '{"reason":"Busy","message":"its files are being read"}';
      return await Promise.resolve({
        status: answer,
        contentType: 'application/json',
        body: Readable.from([Buffer.from(text)]),
      });
    },
  };
  return { agent, requests };
}

/** As the report of an agent does. */
async function forget(captures: MemoryCaptures, uid: string | undefined): Promise<void> {
  const name = { namespace: 'shop', name: 'web-0' };
  const capture = await captures.get(name, { signal: new AbortController().signal });
  const left = capture?.status.recordings.filter((each) => each.uid !== uid) ?? [];
  if (left.length === 0) captures.remove(name);
  else captures.put(testCapture({ recordings: left, version: '101' }));
}

describe('DELETE', () => {
  test('deletes nothing while nobody says since when the namespace exists', async () => {
    const captures = memoryCaptures([testCapture({ recordings: [ended] })]);
    const { agent, requests } = deletingAgent(captures);
    captures.agents.push(agent);
    await using hub = await startedHubApi({
      captures,
      namespaces: { visible: async (all) => await Promise.resolve({ captures: all, unchecked: ['shop'] }) },
    });
    const { status, text } = await hub.ask(path, { method: 'DELETE', body });
    expect(status).toBe(503);
    expect(text).toContain('cannot ask the API server since when namespace shop exists');
    expect(requests).toEqual([]);
  });

  test('deletes what has ended, after which there is nothing', async () => {
    const captures = memoryCaptures([testCapture({ recordings: [ended, older] })]);
    const { agent, requests } = deletingAgent(captures);
    captures.agents.push(agent);
    await using hub = await startedHubApi({ captures });
    const answer = await hub.ask(path, { method: 'DELETE', body });
    expect(answer.status).toBe(200);
    expect(answer.json).toMatchObject({
      kind: 'Status',
      status: 'Success',
      details: { name: 'web-0', group: 'podcap.dev', kind: 'captures' },
    });
    expect(requests).toMatchObject([
      { method: 'DELETE', path: '/v1/recording', query: { uid: 'ended' } },
      { method: 'DELETE', path: '/v1/recording', query: { uid: 'older' } },
    ]);
    expect((await hub.ask(path)).status).toBe(404);
    expect(hub.authorized.map(({ verb }) => verb)).toEqual(['delete', 'get']);
  });

  test('deletes one recording of several', async () => {
    const captures = memoryCaptures([testCapture({ recordings: [live, ended] })]);
    const { agent } = deletingAgent(captures);
    captures.agents.push(agent);
    await using hub = await startedHubApi({ captures });
    expect((await hub.ask(`${path}?uid=ended`, { method: 'DELETE' })).status).toBe(200);
    expect((await hub.ask(path)).json).toMatchObject({ status: { recordings: [{ uid: 'live' }] } });
  });

  test('deletes only what the Node has that is named', async () => {
    const captures = memoryCaptures([testCapture({ recordings: [elsewhere, ended, older] })]);
    const { agent, requests } = deletingAgent(captures);
    captures.agents.push(agent);
    await using hub = await startedHubApi({ captures });
    expect((await hub.ask(`${path}?node=node-a`, { method: 'DELETE' })).status).toBe(200);
    expect(requests.map(({ query }) => query)).toEqual([{ uid: 'ended' }, { uid: 'older' }]);
    expect((await hub.ask(path)).json).toMatchObject({ status: { recordings: [{ uid: 'elsewhere' }] } });
  });

  test('asks the next agent of the Node if one does not know the recording, or is gone', async () => {
    const captures = memoryCaptures([testCapture({ recordings: [ended] })]);
    const [newer, left, holder] = [
      deletingAgent(captures, [404]),
      deletingAgent(captures, ['cut']),
      deletingAgent(captures),
    ];
    captures.agents.push(newer.agent, holder.agent);
    await using hub = await startedHubApi({ captures });
    expect((await hub.ask(path, { method: 'DELETE' })).status).toBe(200);
    expect(holder.requests).toHaveLength(1);
    captures.put(testCapture({ recordings: [ended] }));
    captures.agents.splice(0, 2, left.agent, holder.agent);
    expect((await hub.ask(path, { method: 'DELETE' })).status).toBe(200);
  });

  test.each([
    [409, 409, 'Conflict'],
    [503, 503, 'ServiceUnavailable'],
    [500, 500, 'InternalError'],
    ['cut', 503, 'ServiceUnavailable'],
  ] as const)('passes on that the agent answered %s', async (agentStatus, code, reason) => {
    const captures = memoryCaptures([testCapture({ recordings: [ended] })]);
    captures.agents.push(deletingAgent(captures, [agentStatus]).agent);
    await using hub = await startedHubApi({ captures });
    const { status, json } = await hub.ask(path, { method: 'DELETE' });
    expect(status).toBe(code);
    expect(json).toMatchObject({
      reason,
      message: expect.stringMatching(/its files are being read|not connected/),
    });
  });

  test('says why it was not deleted, though another agent does not know the recording', async () => {
    const captures = memoryCaptures([testCapture({ recordings: [ended] })]);
    captures.agents.push(deletingAgent(captures, [404]).agent, deletingAgent(captures, [409]).agent);
    await using hub = await startedHubApi({ captures });
    expect((await hub.ask(path, { method: 'DELETE' })).status).toBe(409);
  });

  test('reads no more of what an agent answers than a refusal has, and shows no control characters of it', async () => {
    const captures = memoryCaptures([testCapture({ recordings: [ended] })]);
    let made = 0;
    const answering = (answer: Readable): AgentLink => ({
      ...deletingAgent(captures).agent,
      request: async () =>
        await Promise.resolve({ status: 409, contentType: 'application/json', body: answer }),
    });
    const endless = function* () {
      for (; made < 64; made += 1) yield Buffer.alloc(1024 * 1024, 'x');
    };
    captures.agents.push(answering(Readable.from(endless())));
    await using hub = await startedHubApi({ captures });
    expect((await hub.ask(path, { method: 'DELETE' })).status).toBe(503);
    expect(made).toBeLessThan(8);
    const words = Buffer.from(JSON.stringify({ reason: 'Busy', message: '\u001b[2Jgone\u202e' }));
    captures.agents.splice(0, 1, answering(Readable.from([words])));
    expect((await hub.ask(path, { method: 'DELETE' })).json).toMatchObject({
      code: 409,
      message: expect.stringContaining('\\u001b[2Jgone\\u202e'),
    });
  });

  test('says that no agent is connected', async () => {
    await using hub = await startedHubApi({
      captures: memoryCaptures([testCapture({ recordings: [ended] })]),
    });
    expect((await hub.ask(path, { method: 'DELETE' })).json).toMatchObject({
      code: 503,
      message: expect.stringContaining('the agent of Node node-a'),
    });
  });

  test.each([
    ['query', '?dryRun=All', undefined],
    ['body', '', '{"kind":"DeleteOptions","apiVersion":"v1","dryRun":["All"]}'],
  ])('does nothing in a dry run by %s', async (_, query, options) => {
    const captures = memoryCaptures([testCapture({ recordings: [ended] })]);
    const { agent, requests } = deletingAgent(captures);
    captures.agents.push(agent);
    await using hub = await startedHubApi({ captures });
    const answer = await hub.ask(`${path}${query}`, {
      method: 'DELETE',
      ...(options !== undefined && { body: options }),
    });
    expect(answer.json).toMatchObject({ status: 'Success' });
    expect(requests).toEqual([]);
  });

  test.each([
    ['?dryRun=Some', body, {}, 400],
    ['?node=../x', body, {}, 400],
    ['', 'no JSON', {}, 400],
    ['', '{"kind":"Pod"}', {}, 400],
    ['?uid=a', '{"preconditions":{"uid":"b"}}', {}, 400],
    ['', '{"preconditions":{"uid":"b"}}', {}, 409],
    ['', body, { 'content-type': 'application/vnd.kubernetes.protobuf' }, 415],
    ['', `{"x":"${'x'.repeat(20_000)}"}`, {}, 413],
  ])('refuses %j with body %j', async (query, options, headers, code) => {
    await using hub = await startedHubApi({
      captures: memoryCaptures([testCapture({ recordings: [ended] })]),
    });
    const { status, json } = await hub.ask(`${path}${query}`, { method: 'DELETE', body: options, headers });
    expect(status).toBe(code);
    expect(json).toMatchObject({ kind: 'Status', status: 'Failure', code });
  });

  test('says that there is no such capture', async () => {
    await using hub = await startedHubApi();
    expect((await hub.ask(path, { method: 'DELETE' })).json).toMatchObject({
      code: 404,
      reason: 'NotFound',
      message: 'captures.podcap.dev "web-0" not found',
    });
  });
});
