import * as v from 'valibot';
import { captureFileMediaType, framesMediaType } from '../../api/stream-frames.ts';
import { plainText } from '../../base/plain-text.ts';
import { linkErrorSchema } from '../../link/protocol.ts';
import type { AgentLink, AgentRequest, AgentResponse } from '../agents/agent-link.ts';
import { readAnswerText } from '../agents/answer-text.ts';
import type { StatusError } from '../api/status-error.ts';
import { streamErrors } from './stream-errors.ts';

/** What an agent answers to the request of a stream. */
export type StreamAnswer =
  | { readonly kind: 'source'; readonly node: string; readonly response: AgentResponse }
  /** It has what was asked for, and says why it does not send it. */
  | { readonly kind: 'refused'; readonly error: StatusError }
  /** It does not have it. */
  | { readonly kind: 'absent' }
  | { readonly kind: 'unreachable'; readonly node: string };

export type StreamCall = Pick<AgentRequest, 'path' | 'query' | 'headers' | 'responseMs' | 'signal'>;

/** Asks an agent. Throws nothing that the agent or its connection causes. */
export async function askAgent(agent: AgentLink, call: StreamCall): Promise<StreamAnswer> {
  const { node } = agent;
  const response = await agent.request({ ...call, method: 'GET' }).catch(() => undefined);
  if (!response) return { kind: 'unreachable', node };
  if (response.status === 200) {
    if ([captureFileMediaType, framesMediaType].includes(response.contentType)) {
      return { kind: 'source', node, response };
    }
    response.body.destroy();
    return { kind: 'refused', error: streamErrors.badAnswer(node) };
  }
  // Without words, or with too many, the status is enough.
  const text = await readAnswerText(response, refusalBounds).catch(() => '');
  if (response.status === 404) return { kind: 'absent' };
  return { kind: 'refused', error: refusalOf(response.status, text, node) };
}

/** What the first agent answered that has it. Otherwise which Nodes did not answer; if none, all answered `absent`. */
export type JointAnswer =
  | Extract<StreamAnswer, { readonly kind: 'source' | 'refused' }>
  | { readonly kind: 'none'; readonly unreachable: readonly string[] };

/** Asks one agent after the other, until one has it. */
export async function askInTurn(agents: readonly AgentLink[], call: StreamCall): Promise<JointAnswer> {
  const unreachable: string[] = [];
  for (const agent of agents) {
    const answer = await askAgent(agent, call);
    if (answer.kind === 'source' || answer.kind === 'refused') return answer;
    if (answer.kind === 'unreachable') unreachable.push(answer.node);
  }
  return { kind: 'none', unreachable };
}

/** Asks all agents at once. The first that has it wins; what the others may have begun ends at once. */
export async function askTogether(agents: readonly AgentLink[], call: StreamCall): Promise<JointAnswer> {
  const asked = agents.map((agent) => {
    const ended = new AbortController();
    const signal = AbortSignal.any([call.signal, ended.signal]);
    return { ended, answer: askAgent(agent, { ...call, signal }) };
  });
  const unreachable: string[] = [];
  const { promise, resolve } = Promise.withResolvers<(typeof asked)[number] | undefined>();
  const all = asked.map(async (one) => {
    const answer = await one.answer;
    if (answer.kind === 'unreachable') unreachable.push(answer.node);
    else if (answer.kind !== 'absent') resolve(one);
  });
  void Promise.all(all).then(() => resolve(undefined));
  const winner = await promise;
  for (const each of asked) {
    if (each !== winner) each.ended.abort(new Error('another agent has answered'));
  }
  const answer = await winner?.answer;
  return answer?.kind === 'source' || answer?.kind === 'refused'
    ? answer
    : { kind: 'none', unreachable: unreachable.toSorted() };
}

/** The StatusReason of the Kubernetes API for the codes with which an agent may refuse a stream. */
const reasons: Readonly<Record<number, string | undefined>> = {
  400: 'BadRequest',
  403: 'Forbidden',
  409: 'Conflict',
  410: 'Gone',
  429: 'TooManyRequests',
  503: 'ServiceUnavailable',
};

function refusalOf(status: number, text: string, node: string): StatusError {
  const parsed = v.safeParse(v.pipe(v.string(), v.parseJson(), linkErrorSchema), text);
  const reason = reasons[status];
  if (!parsed.success || reason === undefined) return streamErrors.badAnswer(node);
  const message = plainText(`${parsed.output.message} (Node ${node}: ${parsed.output.reason})`);
  const isPassing = status === 429 || status === 503;
  return { kind: 'error', code: status, reason, message, ...(isPassing && { retryAfterSeconds: 5 }) };
}

const refusalBounds = { mostBytes: 16 * 1024, withinMs: 5_000 } as const;
