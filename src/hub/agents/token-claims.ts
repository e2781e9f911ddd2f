import * as v from 'valibot';

/** What a ServiceAccount token says of itself. Nothing has been verified: only the API server knows whether it is true. */
export type TokenClaims = {
  readonly subject: string;
  readonly audiences: readonly string[];
  /** In milliseconds of Unix time. */
  readonly expiresAtMs: number;
};

/** Reads the claims of a JSON Web Token (RFC 7519); undefined if it is none, or has no expiry. */
export function readTokenClaims(token: string): TokenClaims | undefined {
  const [, payload, signature, ...more] = token.split('.');
  if (!payload || !signature || more.length > 0) return undefined;
  const parsed = v.safeParse(claimsSchema, Buffer.from(payload, 'base64url').toString('utf8'));
  if (!parsed.success) return undefined;
  const { sub, aud, exp } = parsed.output;
  return { subject: sub, audiences: typeof aud === 'string' ? [aud] : aud, expiresAtMs: exp * 1_000 };
}

const claimsSchema = v.pipe(
  v.string(),
  v.parseJson(),
  v.object({
    sub: v.string(),
    aud: v.union([v.string(), v.array(v.string())]),
    exp: v.pipe(v.number(), v.minValue(0), v.maxValue(Number.MAX_SAFE_INTEGER / 1_000)),
  }),
);
