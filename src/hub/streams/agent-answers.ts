import * as v from 'valibot';
import { captureFileMediaType, framesMediaType } from '../../api/stream-frames.ts';
import { plainText } from '../../base/plain-text.ts';
import { absentReasons, type LinkError, linkErrorSchema } from '../../link/protocol.ts';
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
      return { kind: 'source', agent, response };
    }
    response.body.destroy();
    return { kind: 'refused', error: streamErrors.badAnswer(node) };
  }
  // Without words, or with too many, the status is enough.
  const said = linkErrorOf(await readAnswerText(response, refusalBounds).catch(() => ''));
  if (response.status === 404 && (!said || isAbsence(said))) return { kind: 'absent' };
  return { kind: 'refused', error: refusalOf(response.status, said, node) };
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

/** `contested`: several say that they have what only one can have. */
export type JointAnswer = FoundAnswer | { readonly kind: 'contested'; readonly nodes: readonly string[] };

/** How long others may take to contradict an agent that has it: an agent that does not have it answers at once. */
const contradictionMs = 2_000;

/**
 * Asks all agents at once. The one that has it wins when all others have answered, or some time after: a compromised agent
 * that is faster than the right one must not pass its packets off for those of another Node. What others may have begun
 * ends at once.
 */
export async function askTogether(agents: readonly AgentLink[], call: StreamCall): Promise<JointAnswer> {
  const answers: StreamAnswer[] = [];
  const isEnough = Promise.withResolvers<void>();
  const requests = agents.map((agent) => ({ agent, ended: new AbortController() }));
  let timer: NodeJS.Timeout | undefined;
  const answered = requests.map(async ({ agent, ended }) => {
    const answer = await askAgent(agent, { ...call, signal: AbortSignal.any([call.signal, ended.signal]) });
    answers.push(answer);
    if (answer.kind === 'source' || answer.kind === 'refused') {
      timer ??= setTimeout(isEnough.resolve, contradictionMs);
    }
  });
  await Promise.race([Promise.all(answered), isEnough.promise]);
  clearTimeout(timer);
  const joint = jointAnswer(answers);
  for (const { agent, ended } of requests) {
    if (joint.kind !== 'source' || joint.agent !== agent) ended.abort(new Error('not needed any more'));
  }
  return joint;
}

/** What the answers come to: pure. */
function jointAnswer(answers: readonly StreamAnswer[]): JointAnswer {
  const sources = answers.filter((answer) => answer.kind === 'source');
  if (sources.length > 1)
    return { kind: 'contested', nodes: sources.map(({ agent }) => agent.node).toSorted() };
  const [found = answers.find((answer) => answer.kind === 'refused')] = sources;
  if (found) return found;
  const unreachable = answers.flatMap((answer) => (answer.kind === 'unreachable' ? [answer.node] : []));
  return { kind: 'none', unreachable: unreachable.toSorted() };
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

function refusalOf(status: number, said: LinkError | undefined, node: string): StatusError {
  const reason = reasons[status];
  if (!said || reason === undefined) return streamErrors.badAnswer(node);
  const message = plainText(`${said.message} (Node ${node}: ${said.reason})`);
  const isPassing = status === 429 || status === 503;
  return { kind: 'error', code: status, reason, message, ...(isPassing && { retryAfterSeconds: 5 }) };
}

const refusalBounds = { mostBytes: 16 * 1024, withinMs: 5_000 } as const;
