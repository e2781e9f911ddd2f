// @peculiar/x509 needs it, and does not import it.
import 'reflect-metadata';
import { createPrivateKey, webcrypto } from 'node:crypto';
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
} from '@peculiar/x509';
import { authorityTimes, type SigningAuthority } from './signing-authorities.ts';

/** What a TLS server presents, in PEM. */
export type ServerCertificate = {
  readonly cert: string;
  readonly key: string;
  /** Unix time. */
  readonly createdMs: number;
  readonly expiresMs: number;
};

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
/** So that a client whose clock is behind accepts it. */
export const backdatedMs = 3_600_000;
/** Renewed after two thirds of it. */
export const serverCertificateMs = 90 * 86_400_000;

/** A new authority, which may sign servers' certificates and nothing else. */
export async function createAuthority(nowMs: number): Promise<SigningAuthority> {
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  // A certificate counts in seconds.
  const createdMs = Math.floor(nowMs / 1_000) * 1_000;
  const expiresMs = createdMs + authorityTimes.validMs;
  const serialNumber = randomSerial();
  const certificate = await X509CertificateGenerator.createSelfSigned(
    {
      // Two authorities of one name are told apart by their keys alone, which not every client does.
      name: `CN=podcap-hub-ca-${serialNumber.slice(0, 8)}`,
      serialNumber,
      notBefore: new Date(createdMs - backdatedMs),
      notAfter: new Date(expiresMs),
      keys,
      signingAlgorithm: algorithm,
      extensions: [
        new BasicConstraintsExtension(true, 0, true),
        new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
        await SubjectKeyIdentifierExtension.create(keys.publicKey),
      ],
    },
    webcrypto,
  );
  return { cert: certificate.toString('pem'), key: await pkcs8(keys.privateKey), createdMs, expiresMs };
}

/** A certificate of a server of these DNS names, signed by the authority. */
export async function issueServerCertificate(
  authority: SigningAuthority,
  dnsNames: readonly [string, ...string[]],
  nowMs: number,
): Promise<ServerCertificate> {
  const issuer = new X509Certificate(authority.cert);
  const expiresMs = Math.min(nowMs + serverCertificateMs, authority.expiresMs);
  const signingKey = await importKey(authority.key);
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const certificate = await X509CertificateGenerator.create(
    {
      subject: `CN=${dnsNames[0].slice(0, 64)}`,
      issuer: issuer.subject,
      serialNumber: randomSerial(),
      notBefore: new Date(nowMs - backdatedMs),
      notAfter: new Date(expiresMs),
      publicKey: keys.publicKey,
      signingKey,
      signingAlgorithm: algorithm,
      extensions: [
        new BasicConstraintsExtension(false, undefined, true),
        new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
        new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth]),
        new SubjectAlternativeNameExtension(dnsNames.map((value) => ({ type: 'dns', value }))),
        await SubjectKeyIdentifierExtension.create(keys.publicKey),
        await AuthorityKeyIdentifierExtension.create(issuer.publicKey),
      ],
    },
    webcrypto,
  );
  return {
    cert: certificate.toString('pem'),
    key: await pkcs8(keys.privateKey),
    createdMs: nowMs,
    expiresMs,
  };
}

async function pkcs8(key: webcrypto.CryptoKey): Promise<string> {
  return PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', key), 'PRIVATE KEY');
}

/** Throws if it is not a private key of the curve. */
async function importKey(pem: string): Promise<webcrypto.CryptoKey> {
  const der = createPrivateKey(pem).export({ type: 'pkcs8', format: 'der' });
  return await webcrypto.subtle.importKey('pkcs8', der, algorithm, false, ['sign']);
}

/** 16 bytes, positive. */
function randomSerial(): string {
  const bytes = webcrypto.getRandomValues(new Uint8Array(16));
  bytes[0] = 0x40 | ((bytes[0] ?? 0) & 0x3f);
  return Buffer.from(bytes).toString('hex');
}
