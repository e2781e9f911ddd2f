import { createHash } from 'node:crypto';
import { lruCache } from '../../base/lru-cache.ts';
import { semaphore } from '../../base/semaphore.ts';
import type { KubernetesClient } from '../../kubernetes/client.ts';
import { linkAudience } from '../../link/protocol.ts';
import {
  type AgentIdentity,
  identityByReview,
  type LinkRefusal,
  refusalByClaims,
  refuse,
} from './agent-identity.ts';
import { readTokenClaims } from './token-claims.ts';

/** Whom a token speaks for, or why it is refused. Throws nothing but the signal's reason. */
export type ReviewToken = (token: string, signal: AbortSignal) => Promise<ReviewedToken | LinkRefusal>;

export type ReviewedToken = {
  readonly kind: 'accepted';
  readonly token: string;
  readonly identity: AgentIdentity;
  /** In milliseconds of Unix time. */
  readonly expiresAtMs: number;
};

/**
 * Anybody can cause a review by a text that looks like a token. So those of connected agents never wait for those of
 * strangers, and a stranger's token that was refused is not asked about again for some seconds.
 */
export type TokenReviews = { readonly ofStranger: ReviewToken; readonly ofAgent: ReviewToken };

export type TokenReviewOptions = {
  readonly client: Pick<KubernetesClient, 'create'>;
  /** The agents' account as a user name: system:serviceaccount:<namespace>:<name>. */
  readonly account: string;
  readonly reviewMs?: number;
  /** Of a monotonic clock. */
  readonly nowMs?: () => number;
};

/** So that all agents that connect at once do not all ask the API server at once. */
const reviewsAtOnce = { ofStranger: 12, ofAgent: 4 } as const;
const path = '/apis/authentication.k8s.io/v1/tokenreviews';
/** The API server may refuse for a moment what it accepts later: the token of a Pod that it does not know yet. */
const rememberRefusedMs = 10_000;
const mostRefused = 1_024;

/** Asks the API server by TokenReviews. */
export function tokenReviews(options: TokenReviewOptions): TokenReviews {
  const { account, nowMs = () => performance.now() } = options;
  const strangers = semaphore(reviewsAtOnce.ofStranger);
  const agents = semaphore(reviewsAtOnce.ofAgent);
  const refusals = lruCache<{ readonly refusal: LinkRefusal; readonly atMs: number }>(mostRefused);

  function refusedLately(key: string): LinkRefusal | undefined {
    const known = refusals.get(key);
    return known && nowMs() - known.atMs < rememberRefusedMs ? known.refusal : undefined;
  }

  async function reviewStranger(asked: AskedToken, signal: AbortSignal): Promise<ReviewOutcome> {
    const key = createHash('sha256').update(asked.token).digest('base64');
    // Also after the wait: what is sent a hundred times at once is asked about a few times.
    const review = async () => refusedLately(key) ?? (await askAbout(asked, options, signal));
    const outcome = refusedLately(key) ?? (await strangers(review, signal));
    if (outcome.kind === 'refused' && outcome.reason !== 'TokenUnchecked' && !refusedLately(key))
      refusals.set(key, { refusal: outcome, atMs: nowMs() });
    return outcome;
  }

  const plausible =
    (review: (asked: AskedToken, signal: AbortSignal) => Promise<ReviewOutcome>): ReviewToken =>
    async (token, signal) => {
      const claims = readTokenClaims(token);
      const refusal = refusalByClaims(claims, account);
      if (refusal || !claims) return refusal ?? refuse('Malformed', 'the token cannot be read');
      return await review({ token, expiresAtMs: claims.expiresAtMs }, signal);
    };

  return {
    ofStranger: plausible(reviewStranger),
    ofAgent: plausible((asked, signal) => agents(() => askAbout(asked, options, signal), signal)),
  };
}

type ReviewOutcome = ReviewedToken | LinkRefusal;
type AskedToken = Pick<ReviewedToken, 'token' | 'expiresAtMs'>;

async function askAbout(
  { token, expiresAtMs }: AskedToken,
  { client, account, reviewMs = 5_000 }: TokenReviewOptions,
  signal: AbortSignal,
): Promise<ReviewOutcome> {
  const body = {
    apiVersion: 'authentication.k8s.io/v1',
    kind: 'TokenReview',
    spec: { token, audiences: [linkAudience] },
  };
  try {
    const answer = await client.create({ path, body, signal, deadlineMs: reviewMs });
    const identity = identityByReview(answer, { account, isExpired: expiresAtMs <= Date.now() });
    return 'kind' in identity ? identity : { kind: 'accepted', token, identity, expiresAtMs };
  } catch (error) {
    signal.throwIfAborted();
    // Whatever it is, it says nothing about the token: not even a 403, which is about the hub's own rights.
    return refuse('TokenUnchecked', `the token cannot be checked: ${String(error)}`);
  }
}
