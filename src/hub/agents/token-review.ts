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

export type TokenReviewOptions = {
  readonly client: Pick<KubernetesClient, 'create'>;
  /** The agents' account as a user name: system:serviceaccount:<namespace>:<name>. */
  readonly account: string;
  readonly reviewMs?: number;
};

/** So that all agents that connect at once do not all ask the API server at once. */
const reviewsAtOnce = 16;
const path = '/apis/authentication.k8s.io/v1/tokenreviews';

/** Asks the API server by TokenReviews. */
export function tokenReviews({ client, account, reviewMs = 5_000 }: TokenReviewOptions): ReviewToken {
  const queue = semaphore(reviewsAtOnce);
  return async (token, signal) => {
    const claims = readTokenClaims(token);
    const refusal = refusalByClaims(claims, account);
    if (refusal || !claims) return refusal ?? refuse('Malformed', 'the token cannot be read');
    const body = {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenReview',
      spec: { token, audiences: [linkAudience] },
    };
    try {
      const answer = await queue(() => client.create({ path, body, signal, deadlineMs: reviewMs }), signal);
      const { expiresAtMs } = claims;
      const identity = identityByReview(answer, { account, isExpired: expiresAtMs <= Date.now() });
      return 'kind' in identity ? identity : { kind: 'accepted', token, identity, expiresAtMs };
    } catch (error) {
      signal.throwIfAborted();
      // Whatever it is, it says nothing about the token: not even a 403, which is about the hub's own rights.
      return refuse('TokenUnchecked', `the token cannot be checked: ${String(error)}`);
    }
  };
}
