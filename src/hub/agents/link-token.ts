import { abortableSleep } from '../../kubernetes/abortable-sleep.ts';
import type { Log } from '../../kubernetes/logger.ts';
import { linkPaths } from '../../link/protocol.ts';
import { type LinkRefusal, refuse } from './agent-identity.ts';
import { type AgentLink, AgentUnavailable } from './agent-link.ts';
import { readAnswerText } from './answer-text.ts';
import type { ReviewedToken, ReviewToken } from './token-review.ts';
import {
  type CheckedToken,
  defaultTokenTimes,
  stepAfterCheck,
  type TokenTimes,
  waitBeforeCheckMs,
} from './token-step.ts';

export type TokenKeeping = {
  readonly link: AgentLink;
  /** The one that the agent was accepted with. */
  readonly token: ReviewedToken;
  readonly review: ReviewToken;
  readonly times?: TokenTimes;
  readonly log: Log;
  readonly signal: AbortSignal;
};

const longestTokenBytes = 16_384;
const fetchMs = 10_000;

/**
 * Has a link end with its token: asks the agent for a fresh one before the known one expires, and has it reviewed.
 * Returns why the link must end; throws the signal's reason.
 */
export async function keepTokenFresh({
  times = defaultTokenTimes,
  link,
  token,
  review,
  log,
  signal,
}: TokenKeeping): Promise<LinkRefusal> {
  const { node, podName } = link;
  let known = token;
  let checked: CheckedToken = {
    expiresAtMs: token.expiresAtMs,
    confirmedMs: Date.now(),
    doubts: 0,
    isUnchecked: false,
  };
  for (;;) {
    await abortableSleep(waitBeforeCheckMs(checked, Date.now(), times), signal);
    signal.throwIfAborted();
    const outcome = await reviewFresh(link, { known, review, signal });
    if (outcome?.kind === 'accepted') known = outcome;
    const step = stepAfterCheck(checked, outcome, Date.now(), times);
    if (step.kind === 'end') return step.refusal;
    if (step.checked.isUnchecked && !checked.isUnchecked) {
      const { problem } = step.checked;
      log.warn(
        { node, agent: podName, reason: 'TokenUnchecked', problem },
        "failed to check an agent's token",
      );
    }
    checked = step.checked;
  }
}

type Reviewing = Pick<TokenKeeping, 'review' | 'signal'> & { readonly known: ReviewedToken };

/**
 * A refusal if the fresh token is one of another agent. If the agent sends none, the one that is known is reviewed again:
 * an agent that keeps silent stays no longer after its Pod has gone. Undefined if that has expired.
 */
async function reviewFresh(
  link: AgentLink,
  { known, review, signal }: Reviewing,
): Promise<ReviewedToken | LinkRefusal | undefined> {
  const fresh = await fetchToken(link, signal);
  if (fresh === undefined && known.expiresAtMs <= Date.now()) return undefined;
  const reviewed = await review(fresh ?? known.token, signal);
  if (reviewed.kind === 'refused') return reviewed;
  const { identity } = reviewed;
  if (identity.podUid === link.podUid && identity.node === link.node) return reviewed;
  return refuse('OtherAgent', `the fresh token is one of ${identity.podName} on Node ${identity.node}`);
}

async function fetchToken(link: AgentLink, signal: AbortSignal): Promise<string | undefined> {
  try {
    const request = { method: 'GET', path: linkPaths.token, signal, responseMs: fetchMs } as const;
    const answer = await link.request(request);
    if (answer.status === 200)
      return await readAnswerText(answer, { mostBytes: longestTokenBytes, withinMs: fetchMs });
    answer.body.destroy();
    return undefined;
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof AgentUnavailable) return undefined;
    throw error;
  }
}
