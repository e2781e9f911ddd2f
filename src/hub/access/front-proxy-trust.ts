import { X509Certificate } from 'node:crypto';
import * as v from 'valibot';
import type { ParsedObject } from '../../kubernetes/list-watch.ts';

/** Which client certificates speak for users, and in which headers: the contract between kube-apiserver and its extensions. */
export type FrontProxyTrust = {
  readonly kind: 'trust';
  /** The authorities in PEM, as the TLS context takes them. */
  readonly ca: string;
  readonly authorities: readonly X509Certificate[];
  /** Common names that may speak for users. Empty: every certificate of these authorities. */
  readonly allowedNames: ReadonlySet<string>;
  /** Names in lower case, the first that is set counts; for groups all of them do. */
  readonly userHeaders: readonly string[];
  readonly uidHeaders: readonly string[];
  readonly groupHeaders: readonly string[];
  readonly extraPrefixes: readonly string[];
};

/** Why the configuration identifies nobody. */
export type TrustProblem = {
  readonly kind: 'problem';
  readonly reason: 'NoFrontProxy' | 'AnyClientCertificate' | 'MalformedConfiguration';
  /** For people: what is wrong, and what to do. */
  readonly message: string;
};

export const frontProxyConfig = {
  namespace: 'kube-system',
  name: 'extension-apiserver-authentication',
} as const;

const configSchema = v.object({
  metadata: v.object({ name: v.literal(frontProxyConfig.name) }),
  data: v.optional(v.record(v.string(), v.string()), {}),
});

/** The data of the ConfigMap. */
export function parseFrontProxyConfig(object: unknown): ParsedObject<Readonly<Record<string, string>>> {
  const parsed = v.safeParse(configSchema, object);
  if (parsed.success) return { kind: 'valid', object: parsed.output.data };
  return { kind: 'invalid', problem: v.summarize(parsed.issues) };
}

/**
 * Reads the data of ConfigMap extension-apiserver-authentication, whose keys are those that kube-apiserver writes
 * (k8s.io/apiserver, pkg/server/options/authentication.go). Without allowed names, anyone with a client certificate of the
 * cluster would be the front proxy if both have the same authority: so that is a problem, as it is for kube-apiserver.
 */
export function readFrontProxyTrust(data: Readonly<Record<string, string>>): FrontProxyTrust | TrustProblem {
  const ca = data['requestheader-client-ca-file'] ?? '';
  const userHeaders = names(data['requestheader-username-headers']);
  if (ca.trim() === '' || userHeaders?.length === 0) {
    return problem('NoFrontProxy', 'names no authority or no header of users: enable its aggregation layer');
  }
  const authorities = certificates(ca);
  const clientAuthorities = certificates(data['client-ca-file'] ?? '');
  const allowedNames = names(data['requestheader-allowed-names']);
  const groupHeaders = names(data['requestheader-group-headers']);
  const uidHeaders = names(data['requestheader-uid-headers']);
  const extraPrefixes = names(data['requestheader-extra-headers-prefix']);
  if (!authorities || !clientAuthorities) return malformed('certificates');
  if (!allowedNames || !userHeaders || !groupHeaders || !uidHeaders || !extraPrefixes) {
    return malformed('names');
  }
  if (allowedNames.length === 0 && haveSameKey(authorities, clientAuthorities)) {
    return problem(
      'AnyClientCertificate',
      'allows every client certificate of the cluster to speak for every user: ' +
        'set --requestheader-allowed-names of kube-apiserver, or give its front proxy an authority of its own',
    );
  }
  return {
    kind: 'trust',
    ca,
    authorities,
    allowedNames: new Set(allowedNames),
    userHeaders: lowerCase(userHeaders),
    uidHeaders: lowerCase(uidHeaders),
    groupHeaders: lowerCase(groupHeaders),
    extraPrefixes: lowerCase(extraPrefixes),
  };
}

function problem(reason: TrustProblem['reason'], what: string): TrustProblem {
  const { namespace, name } = frontProxyConfig;
  return { kind: 'problem', reason, message: `ConfigMap ${namespace}/${name} ${what}` };
}

function malformed(what: string): TrustProblem {
  return problem('MalformedConfiguration', `has ${what} that cannot be read`);
}

const namesSchema = v.pipe(v.string(), v.parseJson(), v.array(v.string()));

/** A JSON list; empty if the key is missing, undefined if it is not a list. */
function names(text: string | undefined): readonly string[] | undefined {
  if (text === undefined || text.trim() === '') return [];
  const parsed = v.safeParse(namesSchema, text);
  return parsed.success ? parsed.output : undefined;
}

function lowerCase(all: readonly string[]): readonly string[] {
  return all.map((each) => each.toLowerCase());
}

const pemCertificate = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g;

function certificates(pem: string): readonly X509Certificate[] | undefined {
  const blocks = pem.match(pemCertificate) ?? [];
  if (blocks.length === 0 && pem.trim() !== '') return undefined;
  try {
    return blocks.map((each) => new X509Certificate(each));
  } catch {
    return undefined;
  }
}

/** A renewed certificate of an authority has its key: so keys are compared. */
function haveSameKey(some: readonly X509Certificate[], others: readonly X509Certificate[]): boolean {
  return some.some((one) => others.some((other) => one.publicKey.equals(other.publicKey)));
}
