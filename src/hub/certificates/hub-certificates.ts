import * as v from 'valibot';
import { ApiError } from '../../kubernetes/api-error.ts';
import type { KubernetesClient } from '../../kubernetes/client.ts';
import type { Log } from '../../kubernetes/logger.ts';
import { authoritySecretData, readAuthoritySecret } from './authority-secret.ts';
import {
  createAuthority,
  issueServerCertificate,
  type ServerCertificate,
  serverCertificateMs,
} from './issue-certificate.ts';
import {
  authorityBundle,
  needsAuthority,
  type SigningAuthority,
  signingAuthority,
  trustedAuthorities,
} from './signing-authorities.ts';

/** What this replica presents, and what it is verified with. */
export type HubIdentity = {
  readonly server: ServerCertificate;
  /** PEM. */
  readonly bundle: string;
};

export type HubCertificates = {
  /**
   * Reads the Secret, and makes what is missing or due. Returns the same object as before while nothing has changed.
   * Throws an ApiError.
   */
  readonly refresh: () => Promise<HubIdentity>;
  /** Makes the ConfigMap say what verifies this identity, whoever has changed it. Throws an ApiError. */
  readonly publish: (identity: HubIdentity) => Promise<void>;
};

export type HubCertificateOptions = {
  readonly client: Pick<KubernetesClient, 'get' | 'update'>;
  readonly namespace: string;
  /** The name of the hub's objects. */
  readonly name: string;
  readonly unixMs: () => number;
  readonly log: Log;
};

/**
 * Keeps the hub's authorities in its Secret, where all replicas find them, and their certificates in its ConfigMap, where
 * agents do. The hub cannot create the two objects: the chart ships them empty. Of two replicas that fill the Secret at
 * the same time, the second is refused, and takes what the first has written.
 */
export function hubCertificates(options: HubCertificateOptions): HubCertificates {
  const { namespace, name, unixMs } = options;
  const core = `/api/v1/namespaces/${namespace}`;
  const secretPath = `${core}/secrets/${name}`;
  let served: (HubIdentity & { readonly signer: string }) | undefined;

  return {
    async refresh() {
      const authorities = await currentAuthorities(options, secretPath);
      const signer = signingAuthority(authorities, unixMs());
      if (signer === undefined) throw new Error('no authority is left, though one was just made');
      const bundle = authorityBundle(authorities, unixMs());
      const isCurrent =
        served !== undefined && served.signer === signer.cert && !isOld(served.server, unixMs());
      if (isCurrent && served?.bundle === bundle) return served;
      const server =
        isCurrent && served
          ? served.server
          : await issueServerCertificate(signer, [`${name}.${namespace}.svc`], unixMs());
      served = { server, bundle, signer: signer.cert };
      return served;
    },
    publish: ({ bundle }) => publish(options, `${core}/configmaps/${name}-ca`, bundle),
  };
}

/** The authorities of the Secret, once it has one that can be used and needs no other. */
async function currentAuthorities(
  options: HubCertificateOptions,
  secretPath: string,
): Promise<readonly SigningAuthority[]> {
  const { client, unixMs, log } = options;
  const read = await readObject(client, secretPath);
  const { authorities, problem } = readAuthoritySecret(read.data);
  if (problem !== undefined) log.warn({ problem, path: secretPath }, 'replacing the content of the Secret');
  if (!needsAuthority(authorities, unixMs())) return authorities;
  const next = [...trustedAuthorities(authorities, unixMs()), await createAuthority(unixMs())];
  const body = { ...read, data: authoritySecretData(next) };
  try {
    await client.update({ path: secretPath, body });
    log.info({ authorities: next.length }, 'certificate authority created');
    return next;
  } catch (error) {
    if (!(error instanceof ApiError && error.status === 409)) throw error;
    // Another replica was first.
    const written = readAuthoritySecret((await readObject(client, secretPath)).data).authorities;
    if (written.length === 0) throw error;
    return written;
  }
}

/** Level-triggered: whoever changes the ConfigMap, it has the authorities again. */
async function publish({ client, log }: HubCertificateOptions, path: string, bundle: string): Promise<void> {
  const read = await readObject(client, path);
  if (read.data?.['ca.crt'] === bundle) return;
  try {
    await client.update({ path, body: { ...read, data: { 'ca.crt': bundle } } });
    log.info({ path }, 'certificate authorities published');
  } catch (error) {
    // Another replica did it, or will see to it.
    if (!(error instanceof ApiError && error.status === 409)) throw error;
  }
}

const storedObjectSchema = v.looseObject({
  metadata: v.looseObject({ resourceVersion: v.string() }),
  data: v.optional(v.nullable(v.record(v.string(), v.string()))),
});

async function readObject(client: Pick<KubernetesClient, 'get'>, path: string) {
  return v.parse(storedObjectSchema, await client.get({ path }));
}

function isOld({ createdMs }: ServerCertificate, nowMs: number): boolean {
  return nowMs - createdMs >= (serverCertificateMs * 2) / 3;
}
