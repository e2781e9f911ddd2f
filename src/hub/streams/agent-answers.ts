import * as v from 'valibot';
import { captureFileMediaType, framesMediaType } from '../../api/stream-frames.ts';
import { plainText } from '../../base/plain-text.ts';
import { absentReasons, type LinkError, linkErrorSchema, unlookedReasons } from '../../link/protocol.ts';
import type { AgentLink, AgentRequest, AgentResponse } from '../agents/agent-link.ts';
import { readAnswerText } from '../agents/answer-text.ts';
import type { StatusError } from '../api/status-error.ts';
import { streamErrors } from './stream-errors.ts';

/** What an agent answers to the request of a stream. */
export type StreamAnswer =
  | {
      readonly kind: 'source';
      readonly agent: AgentLink;
      readonly response: AgentResponse;
    }
  /** It says why it does not send it. `hasIt`: it has what was asked for, and has not refused before it looked. */
  | { readonly kind: 'refused'; readonly node: string; readonly hasIt: boolean; readonly error: StatusError }
  /** It does not have it. */
  | { readonly kind: 'absent' }
  | { readonly kind: 'unreachable'; readonly node: string };

export type StreamCall = Pick<AgentRequest, 'path' | 'query' | 'headers' | 'responseMs' | 'signal'>;

/** Asks an agent. Throws nothing that the agent or its connection causes. */
async function askAgent(agent: AgentLink, call: StreamCall): Promise<StreamAnswer> {
  const { node } = agent;
  const response = await agent.request({ ...call, method: 'GET' }).catch(() => undefined);
  if (!response) return { kind: 'unreachable', node };
  if (response.status === 200) {
    if ([captureFileMediaType, framesMediaType].includes(response.contentType)) {
      return { kind: 'source', agent, response };
    }
    response.body.destroy();
    return { kind: 'refused', node, hasIt: false, error: streamErrors.badAnswer(node) };
  }
  // Without words, or with too many, the status is enough.
  const said = linkErrorOf(await readAnswerText(response, refusalBounds).catch(() => ''));
  if (response.status === 404 && (!said || isAbsence(said))) return { kind: 'absent' };
  return { kind: 'refused', node, ...refusalOf(response.status, said, node) };
}

function linkErrorOf(text: string): LinkError | undefined {
  const parsed = v.safeParse(v.pipe(v.string(), v.parseJson(), linkErrorSchema), text);
  return parsed.success ? parsed.output : undefined;
}

function isAbsence({ reason }: LinkError): boolean {
  const absences: readonly string[] = Object.values(absentReasons);
  return absences.includes(reason);
}

/** What an agent answered that has it. Otherwise which Nodes did not answer; if none, all answered `absent`. */
export type FoundAnswer =
  | Extract<StreamAnswer, { readonly kind: 'source' | 'refused' }>
  | { readonly kind: 'none'; readonly unreachable: readonly string[] };

/** Asks one agent after the other, until one has it. */
export async function askInTurn(agents: readonly AgentLink[], call: StreamCall): Promise<FoundAnswer> {
  const unreachable: string[] = [];
  for (const agent of agents) {
    const answer = await askAgent(agent, call);
    if (answer.kind === 'source' || answer.kind === 'refused') return answer;
    if (answer.kind === 'unreachable') unreachable.push(answer.node);
  }
  return { kind: 'none', unreachable };
}

/** `contested`: one sends what another Node says it has, too. Sorted. */
export type JointAnswer = FoundAnswer | { readonly kind: 'contested'; readonly nodes: readonly string[] };

/**
 * Asks all agents at once, and waits for all answers: a compromised agent that is faster than the right one must not pass
 * its packets off for those of another Node. An agent that does not have what is asked for says so at once; one that does
 * not answer within `responseMs`, or whose connection ends, has no say. What others may have begun ends.
 */
export async function askTogether(agents: readonly AgentLink[], call: StreamCall): Promise<JointAnswer> {
  const requests = agents.map((agent) => ({ agent, ended: new AbortController() }));
  const answers = await Promise.all(
    requests.map(({ agent, ended }) =>
      askAgent(agent, { ...call, signal: AbortSignal.any([call.signal, ended.signal]) }),
    ),
  );
  const joint = jointAnswer(answers);
  for (const { agent, ended } of requests) {
    if (joint.kind !== 'source' || joint.agent !== agent) ended.abort(new Error('not needed any more'));
  }
  return joint;
}

/** What the answers come to: pure. */
function jointAnswer(answers: readonly StreamAnswer[]): JointAnswer {
  const source = answers.find((answer) => answer.kind === 'source');
  const nodes = new Set(answers.flatMap((answer) => nodeThatHasIt(answer) ?? []));
  if (source && nodes.size > 1) return { kind: 'contested', nodes: [...nodes].toSorted() };
  const refusals = answers.filter((answer) => answer.kind === 'refused');
  const found = source ?? refusals.find(({ hasIt }) => hasIt) ?? refusals[0];
  if (found) return found;
  const unreachable = answers.flatMap((answer) => (answer.kind === 'unreachable' ? [answer.node] : []));
  return { kind: 'none', unreachable: unreachable.toSorted() };
}

function nodeThatHasIt(answer: StreamAnswer): string | undefined {
  if (answer.kind === 'source') return answer.agent.node;
  return answer.kind === 'refused' && answer.hasIt ? answer.node : undefined;
}

/** The StatusReason of the Kubernetes API for the codes with which an agent may refuse a stream. */
const reasons: Readonly<Record<number, string | undefined>> = {
  400: 'BadRequest',
  403: 'Forbidden',
  404: 'NotFound',
  409: 'Conflict',
  410: 'Gone',
  429: 'TooManyRequests',
  503: 'ServiceUnavailable',
};

function refusalOf(
  status: number,
  said: LinkError | undefined,
  node: string,
): Pick<Extract<StreamAnswer, { readonly kind: 'refused' }>, 'hasIt' | 'error'> {
  const reason = reasons[status];
  if (!said || reason === undefined) return { hasIt: false, error: streamErrors.badAnswer(node) };
  const message = plainText(`${said.message} (Node ${node}: ${said.reason})`);
  const isPassing = status === 429 || status === 503;
  const unlooked: readonly string[] = Object.values(unlookedReasons);
  return {
    hasIt: !unlooked.includes(said.reason),
    error: { kind: 'error', code: status, reason, message, ...(isPassing && { retryAfterSeconds: 5 }) },
  };
}

const refusalBounds = { mostBytes: 16 * 1024, withinMs: 5_000 } as const;
