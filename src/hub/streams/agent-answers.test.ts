import { Readable } from 'node:stream';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { captureFileMediaType } from '../../api/stream-frames.ts';
import { linkPaths } from '../../link/protocol.ts';
import type { AgentLink, AgentResponse } from '../agents/agent-link.ts';
import { askTogether } from './agent-answers.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function agentOf(node: string, answer: () => Promise<AgentResponse>): AgentLink {
  return { node, podName: node, podUid: node, version: '1.2.3', connectedMs: 0, request: answer };
}

function packets(): AgentResponse {
  return { status: 200, contentType: captureFileMediaType, body: Readable.from([Buffer.from('packets')]) };
}

test('an agent that has the Pod contradicts, however long it takes until it has started tcpdump', async () => {
  const slow = Promise.withResolvers<AgentResponse>();
  const liar = agentOf('node-1', async () => packets());
  const honest = agentOf('node-2', () => slow.promise);
  const signal = new AbortController().signal;
  const answer = askTogether([liar, honest], { path: linkPaths.tap, signal, responseMs: 20_000 });
  await vi.advanceTimersByTimeAsync(19_000);
  slow.resolve(packets());
  expect(await answer).toEqual({ kind: 'contested', nodes: ['node-1', 'node-2'] });
});
