import { createPrivateKey, X509Certificate } from 'node:crypto';
import * as v from 'valibot';
import { backdatedMs } from './issue-certificate.ts';
import type { SigningAuthority } from './signing-authorities.ts';

/** The hub's Secret: `ca.crt` has the certificates of the authorities, oldest first, and `ca.key` their keys. */
export type AuthoritySecret = {
  readonly authorities: readonly SigningAuthority[];
  /** Why the content is not used, if there is any that is not. */
  readonly problem: string | undefined;
};

/** At most two are needed at a time, and a third for a moment. */
const mostAuthorities = 8;
const longestFieldBytes = 64 * 1024;

const field = v.optional(v.pipe(v.string(), v.maxLength(longestFieldBytes)), '');
const secretDataSchema = v.object({ 'ca.crt': field, 'ca.key': field });

/** Reads `data` of the Secret. Whatever is in it, it throws nothing: what cannot be used is as if it were not there. */
export function readAuthoritySecret(data: unknown): AuthoritySecret {
  const parsed = v.safeParse(secretDataSchema, data ?? {});
  if (!parsed.success) return { authorities: [], problem: 'its fields are too large' };
  const certs = pemBlocks(decoded(parsed.output['ca.crt']));
  const keys = pemBlocks(decoded(parsed.output['ca.key']));
  const isEmpty = parsed.output['ca.crt'] === '' && parsed.output['ca.key'] === '';
  if (isEmpty) return { authorities: [], problem: undefined };
  if (certs.length === 0 || certs.length !== keys.length || certs.length > mostAuthorities)
    return { authorities: [], problem: `it has ${certs.length} certificates and ${keys.length} keys` };
  try {
    return {
      authorities: certs.map((cert, index) => authorityOf(cert, keys[index] ?? '')),
      problem: undefined,
    };
  } catch (error) {
    return { authorities: [], problem: error instanceof Error ? error.message : String(error) };
  }
}

/** `data` of the Secret with these authorities. */
export function authoritySecretData(
  authorities: readonly SigningAuthority[],
): Readonly<Record<string, string>> {
  return {
    'ca.crt': base64Of(authorities.map(({ cert }) => cert)),
    'ca.key': base64Of(authorities.map(({ key }) => key)),
  };
}

/** Throws if the two are not an authority's certificate and its key. */
function authorityOf(cert: string, key: string): SigningAuthority {
  const certificate = new X509Certificate(cert);
  if (!certificate.ca) throw new Error('a certificate in it is not that of an authority');
  const privateKey = createPrivateKey(key);
  if (privateKey.asymmetricKeyDetails?.namedCurve !== 'prime256v1')
    throw new Error('a key in it is not of the curve P-256');
  if (!certificate.checkPrivateKey(privateKey)) throw new Error('a key in it is not that of its certificate');
  return {
    cert,
    key,
    createdMs: certificate.validFromDate.getTime() + backdatedMs,
    expiresMs: certificate.validToDate.getTime(),
  };
}

function pemBlocks(text: string): string[] {
  return text.match(/-----BEGIN [A-Z ]+-----[^-]*-----END [A-Z ]+-----/g) ?? [];
}

function decoded(base64: string): string {
  return Buffer.from(base64, 'base64').toString('latin1');
}

function base64Of(texts: readonly string[]): string {
  return Buffer.from(texts.map((text) => `${text.trim()}\n`).join('')).toString('base64');
}
