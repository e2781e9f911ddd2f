import { constants, type X509Certificate } from 'node:crypto';
import { TLSSocket } from 'node:tls';
import type { StatusError } from '../api/status-error.ts';
import type { Access } from './access.ts';
import { callerOf } from './caller-headers.ts';
import type { FrontProxyTrust } from './front-proxy-trust.ts';

/** Why a request identifies nobody. */
export const identityRefusals = [
  'NoClientCertificate',
  'UntrustedClientCertificate',
  'ClientNameNotAllowed',
  'NoUser',
] as const;
export type IdentityRefusal = (typeof identityRefusals)[number];

export type FrontProxyOptions = {
  /** What is trusted now; undefined: nobody is. */
  readonly trust: () => FrontProxyTrust | undefined;
  readonly onRefusal: (reason: IdentityRefusal) => void;
};

/**
 * What the TLS server needs besides its own certificate and the `ca` of the trust. It asks for a client certificate and
 * accepts any: `identify` answers 401, which says more than a broken handshake. No session is resumed, because that would
 * skip the verification by the authorities of now.
 */
export const frontProxyTls = {
  requestCert: true,
  rejectUnauthorized: false,
  secureOptions: constants.SSL_OP_NO_TICKET,
} as const;

/**
 * Identifies the user for whom the API server sends a request. The headers count only behind a client certificate that
 * OpenSSL verified for this connection (chain, dates, use for clients), that an authority has signed that is trusted now, and
 * whose common name is allowed. From anyone else, they are ignored.
 */
export function frontProxy({ trust: trustNow, onRefusal }: FrontProxyOptions): Access['identify'] {
  const verified = new WeakMap<TLSSocket, Verification>();

  function verify(socket: TLSSocket, trust: FrontProxyTrust): Verification {
    const known = verified.get(socket);
    if (known?.trust === trust) return known;
    const verification = verificationOf(socket, trust);
    verified.set(socket, verification);
    return verification;
  }

  function refuse(reason: IdentityRefusal): StatusError {
    onRefusal(reason);
    return unauthorized(reason);
  }

  return (request) => {
    const trust = trustNow();
    const { socket } = request;
    if (!trust || !(socket instanceof TLSSocket)) return refuse('UntrustedClientCertificate');
    const verification = verify(socket, trust);
    if (verification.kind === 'refused') return refuse(verification.reason);
    // A connection may outlive the certificate with which it was opened.
    if (Date.now() > verification.validUntilMs) return refuse('UntrustedClientCertificate');
    return callerOf(request.headersDistinct, trust) ?? refuse('NoUser');
  };
}

type Verification = { readonly trust: FrontProxyTrust } & (
  | { readonly kind: 'verified'; readonly validUntilMs: number }
  | { readonly kind: 'refused'; readonly reason: IdentityRefusal }
);

function verificationOf(socket: TLSSocket, trust: FrontProxyTrust): Verification {
  const refused = (reason: IdentityRefusal) => ({ kind: 'refused', trust, reason }) as const;
  const certificate = socket.getPeerX509Certificate();
  if (!certificate) return refused('NoClientCertificate');
  const validUntilMs = socket.authorized ? trustedUntilMs(certificate, trust.authorities) : undefined;
  if (validUntilMs === undefined) return refused('UntrustedClientCertificate');
  if (!isAllowedName(certificate, trust.allowedNames)) return refused('ClientNameNotAllowed');
  return { kind: 'verified', trust, validUntilMs };
}

/**
 * Until when a certificate is one that an authority has signed itself, or undefined. OpenSSL has verified the connection by
 * the authorities of its handshake; this tells whether they are still trusted. Node.js shows a server no intermediate
 * certificates of its client. It is as well: where every name is allowed, the authority of the cluster's clients can be one.
 */
function trustedUntilMs(
  certificate: X509Certificate,
  authorities: readonly X509Certificate[],
): number | undefined {
  const authority = authorities.find(
    (issuer) => certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey),
  );
  return authority && Math.min(certificate.validToDate.getTime(), authority.validToDate.getTime());
}

function isAllowedName(certificate: X509Certificate, allowed: ReadonlySet<string>): boolean {
  if (allowed.size === 0) return true;
  // A list if the subject has several common names: then none of them counts.
  const name: unknown = certificate.toLegacyObject().subject.CN;
  return typeof name === 'string' && allowed.has(name);
}

const explanations: Readonly<Record<IdentityRefusal, string>> = {
  NoClientCertificate: 'the connection has no client certificate',
  UntrustedClientCertificate: 'the client certificate is not one of the API server',
  ClientNameNotAllowed: 'the name in the client certificate is not one of the API server',
  NoUser: 'the API server names no user',
};

function unauthorized(reason: IdentityRefusal): StatusError {
  const message = `${explanations[reason]}: ask the API server of the cluster, for example with kubectl get captures`;
  return { kind: 'error', code: 401, reason: 'Unauthorized', message };
}
