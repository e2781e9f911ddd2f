/**
 * The certificate authorities of the hub. A new one is trusted for a while before it signs, and an old one for a while
 * after it has signed for the last time: so whoever knows the authorities of a moment ago verifies every replica.
 */
export type SigningAuthority = {
  /** PEM. */
  readonly cert: string;
  /** PEM, PKCS #8. */
  readonly key: string;
  /** Unix time. */
  readonly createdMs: number;
  readonly expiresMs: number;
};

const dayMs = 86_400_000;

/**
 * How long each is valid, and when it is replaced: a hub may be away for the difference. `overlapMs` is how long a new
 * authority is trusted before it signs, and an old one afterwards: minutes would do for the agents and the API server, a
 * day is for an agent that reaches no API server.
 */
export const authorityTimes = {
  validMs: 730 * dayMs,
  replacedAfterMs: 365 * dayMs,
  overlapMs: dayMs,
} as const;

/** Whether another authority is needed now: there is none, or it is time for the next. */
export function needsAuthority(authorities: readonly SigningAuthority[], nowMs: number): boolean {
  const newest = newestOf(usable(authorities, nowMs));
  return newest === undefined || nowMs - newest.createdMs >= authorityTimes.replacedAfterMs;
}

/** Those that are still trusted, oldest first. Without the old ones that a newer one has long signed for. */
export function trustedAuthorities(
  authorities: readonly SigningAuthority[],
  nowMs: number,
): SigningAuthority[] {
  const left = usable(authorities, nowMs);
  const settled = newestOf(left.filter(({ createdMs }) => nowMs - createdMs >= 2 * authorityTimes.overlapMs));
  return left.filter(({ createdMs }) => settled === undefined || createdMs >= settled.createdMs);
}

/** The one that signs now: the newest that everyone has had time to hear of, or the first one. */
export function signingAuthority(
  authorities: readonly SigningAuthority[],
  nowMs: number,
): SigningAuthority | undefined {
  const trusted = trustedAuthorities(authorities, nowMs);
  return (
    newestOf(trusted.filter(({ createdMs }) => nowMs - createdMs >= authorityTimes.overlapMs)) ?? trusted[0]
  );
}

/** What clients verify the hub with, in PEM. */
export function authorityBundle(authorities: readonly SigningAuthority[], nowMs: number): string {
  return trustedAuthorities(authorities, nowMs)
    .map(({ cert }) => `${cert.trim()}\n`)
    .join('');
}

function usable(authorities: readonly SigningAuthority[], nowMs: number): SigningAuthority[] {
  return authorities
    .filter(({ expiresMs }) => expiresMs > nowMs)
    .toSorted((one, other) => one.createdMs - other.createdMs);
}

function newestOf(authorities: readonly SigningAuthority[]): SigningAuthority | undefined {
  return authorities.at(-1);
}
