import { X509Certificate } from 'node:crypto';
import * as v from 'valibot';
import type { ParsedObject } from '../../kubernetes/list-watch.ts';

/** The certificate authority of the hub: one certificate, or two while it changes. */
export type TrustedAuthority = { readonly pem: string };

const key = 'ca.crt';
const mostPemCharacters = 65_536;

/** Reads the ConfigMap; it is shipped empty, and the hub fills it. */
export function parseTrustedAuthority(object: unknown): ParsedObject<TrustedAuthority> {
  const parsed = v.safeParse(configMapSchema, object);
  if (!parsed.success) return { kind: 'invalid', problem: v.summarize(parsed.issues) };
  const pem = parsed.output.data?.[key]?.trim() ?? '';
  if (pem === '' || certificatesIn(pem)) return { kind: 'valid', object: { pem } };
  return { kind: 'invalid', problem: `${key} is no certificate` };
}

/** Whether the authority has signed that certificate: a link that was made with an earlier one ends otherwise. */
export function hasSigned({ pem }: TrustedAuthority, certificate: X509Certificate): boolean {
  return (certificatesIn(pem) ?? []).some(
    (authority) => certificate.checkIssued(authority) && certificate.verify(authority.publicKey),
  );
}

/** Undefined if one of them cannot be read. */
function certificatesIn(pem: string): X509Certificate[] | undefined {
  const texts = pem.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g);
  if (!texts) return undefined;
  try {
    return texts.map((text) => new X509Certificate(text));
  } catch {
    return undefined;
  }
}

const configMapSchema = v.object({
  data: v.nullish(v.record(v.string(), v.pipe(v.string(), v.maxLength(mostPemCharacters)))),
});
