import * as v from 'valibot';
import { linkAudience } from '../../link/protocol.ts';
import type { TokenClaims } from './token-claims.ts';

/** The agent that a token speaks for, as the API server says. */
export type AgentIdentity = {
  readonly node: string;
  readonly podName: string;
  readonly podUid: string;
};

/** Why an agent is not accepted: the word of the log line, the metric and the answer. */
export const linkRefusalReasons = [
  /** The first line is none, or has no token. */
  'Malformed',
  'WrongAudience',
  'WrongAccount',
  'TokenExpired',
  /** The API server does not accept the token: its Pod is gone, or nobody has signed it. */
  'TokenInvalid',
  'NoPod',
  'NoNode',
  /** The API server does not answer. No refusal of an agent that is connected. */
  'TokenUnchecked',
  /** A fresh token speaks for another Pod or Node than the link. */
  'OtherAgent',
  'TooManyAgents',
  /** It has flooded the hub with frames or links, and must wait. */
  'Flood',
  'ShuttingDown',
] as const;
export type LinkRefusalReason = (typeof linkRefusalReasons)[number];

export type LinkRefusal = {
  readonly kind: 'refused';
  readonly reason: LinkRefusalReason;
  readonly message: string;
};

/** A refusal as a value. */
export function refuse(reason: LinkRefusalReason, message: string): LinkRefusal {
  return { kind: 'refused', reason, message };
}

/** What a token's own claims already rule out: so that the API server is not asked about any text that somebody sends. */
export function refusalByClaims(claims: TokenClaims | undefined, account: string): LinkRefusal | undefined {
  if (!claims) return refuse('Malformed', 'the token is no ServiceAccount token with an expiry');
  if (!claims.audiences.includes(linkAudience)) {
    return refuse('WrongAudience', `the token is not for the audience ${linkAudience}`);
  }
  if (claims.subject !== account) return refuse('WrongAccount', `only ${account} may connect`);
  return undefined;
}

const podNameKey = 'authentication.kubernetes.io/pod-name';
const podUidKey = 'authentication.kubernetes.io/pod-uid';
const nodeNameKey = 'authentication.kubernetes.io/node-name';

const extraValue = v.nullish(v.array(v.string()));

const reviewSchema = v.object({
  status: v.object({
    authenticated: v.nullish(v.boolean()),
    error: v.nullish(v.string()),
    audiences: v.nullish(v.array(v.string())),
    user: v.nullish(
      v.object({
        username: v.nullish(v.string()),
        extra: v.nullish(
          v.object({ [podNameKey]: extraValue, [podUidKey]: extraValue, [nodeNameKey]: extraValue }),
        ),
      }),
    ),
  }),
});

/**
 * The agent that an answered TokenReview names. Only the agents' account is accepted, with a token of a Pod on a Node
 * (named from Kubernetes 1.30 on): `kubectl create token` makes tokens without a Pod, and for any Node.
 */
export function identityByReview(
  answer: unknown,
  { account, isExpired }: { readonly account: string; readonly isExpired: boolean },
): AgentIdentity | LinkRefusal {
  const parsed = v.safeParse(reviewSchema, answer);
  if (!parsed.success)
    return refuse('TokenUnchecked', 'the API server answers with something else than a TokenReview');
  const { authenticated, audiences, user } = parsed.output.status;
  if (authenticated !== true) {
    return isExpired
      ? refuse('TokenExpired', 'the token has expired')
      : refuse('TokenInvalid', 'the API server does not accept the token');
  }
  // An API server that knows no audiences leaves them out, and would accept a token for any of them.
  if (!audiences?.includes(linkAudience)) {
    return refuse(
      'WrongAudience',
      `the API server does not say that the token is for the audience ${linkAudience}`,
    );
  }
  if (user?.username !== account) return refuse('WrongAccount', `only ${account} may connect`);
  const podName = user.extra?.[podNameKey]?.[0];
  const podUid = user.extra?.[podUidKey]?.[0];
  const node = user.extra?.[nodeNameKey]?.[0];
  if (!podName || !podUid) return refuse('NoPod', 'the token is not bound to a Pod');
  if (!node) return refuse('NoNode', 'the token names no Node: the hub needs Kubernetes 1.30 or later');
  return { node, podName, podUid };
}
