import * as v from 'valibot';
import { apiGroup, apiVersion } from '../../api/capture.ts';
import { ApiError } from '../../kubernetes/api-error.ts';
import type { KubernetesClient } from '../../kubernetes/client.ts';

/** What became of an attempt to register. */
export type Registration =
  | { readonly kind: 'registered' }
  /** The hub is to have no replica, or is being uninstalled: registered again, it would outlive the hub. */
  | { readonly kind: 'leaving' }
  /** Another release of the chart has registered. A cluster has one. */
  | { readonly kind: 'taken'; readonly by: string };

export type RegistrationOptions = {
  readonly client: Pick<KubernetesClient, 'get' | 'apply' | 'delete'>;
  readonly namespace: string;
  /** Of the hub's Deployment, Service and ClusterRole. */
  readonly name: string;
};

const [, version = ''] = apiVersion.split('/');
const apiServiceName = `${version}.${apiGroup}`;
const apiServicePath = `/apis/apiregistration.k8s.io/v1/apiservices/${apiServiceName}`;
const fieldManager = 'podcap-hub';
const deadlineMs = 5_000;

/**
 * Makes the APIService what it should be: the hub's Service, verified by these authorities. It belongs to the hub's
 * ClusterRole, with which the garbage collector deletes it: when the release is uninstalled, the hub has lost its rights
 * before it is told to stop. Throws an ApiError.
 */
export async function registerApiService(
  options: RegistrationOptions,
  bundle: string,
): Promise<Registration> {
  const { client, namespace, name } = options;
  const [wanted, role, registered] = await Promise.all([
    wantedReplicas(options),
    readOrNone(client, `/apis/rbac.authorization.k8s.io/v1/clusterroles/${name}`, roleSchema),
    readOrNone(client, apiServicePath, apiServiceSchema),
  ]);
  if (wanted === 0 || role === undefined || role.metadata.deletionTimestamp !== undefined)
    return { kind: 'leaving' };
  const holder = registered?.spec.service;
  if (holder && !isOurs(holder, options)) return { kind: 'taken', by: `${holder.namespace}/${holder.name}` };
  await client.apply({
    path: apiServicePath,
    fieldManager,
    deadlineMs,
    body: {
      apiVersion: 'apiregistration.k8s.io/v1',
      kind: 'APIService',
      metadata: {
        name: apiServiceName,
        labels: { app: 'packet-capture' },
        ownerReferences: [
          { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'ClusterRole', name, uid: role.metadata.uid },
        ],
      },
      spec: {
        group: apiGroup,
        version,
        groupPriorityMinimum: 1_000,
        versionPriority: 15,
        service: { namespace, name, port: 443 },
        caBundle: Buffer.from(bundle).toString('base64'),
      },
    },
  });
  return { kind: 'registered' };
}

/**
 * Deletes the APIService if the hub's Deployment asks for no replicas, and returns whether it did: an APIService without
 * a hub stops the deletion of every namespace. Throws an ApiError.
 */
export async function deregisterApiService(options: RegistrationOptions): Promise<boolean> {
  const { client } = options;
  if ((await wantedReplicas(options)) !== 0) return false;
  const registered = await readOrNone(client, apiServicePath, apiServiceSchema);
  if (!registered?.spec.service || !isOurs(registered.spec.service, options)) return false;
  await client.delete({ path: apiServicePath, deadlineMs }).catch(unlessNotFound);
  return true;
}

/** Undefined if there is no Deployment. */
async function wantedReplicas({ client, namespace, name }: RegistrationOptions): Promise<number | undefined> {
  const path = `/apis/apps/v1/namespaces/${namespace}/deployments/${name}`;
  return (await readOrNone(client, path, deploymentSchema))?.spec.replicas;
}

async function readOrNone<T>(
  client: Pick<KubernetesClient, 'get'>,
  path: string,
  schema: v.GenericSchema<unknown, T>,
): Promise<T | undefined> {
  const read = await client.get({ path, deadlineMs }).catch(unlessNotFound);
  return read === undefined ? undefined : v.parse(schema, read);
}

function unlessNotFound(error: unknown): undefined {
  if (error instanceof ApiError && error.reason === 'NotFound') return undefined;
  throw error;
}

type ServiceReference = v.InferOutput<typeof serviceReferenceSchema>;

function isOurs(service: ServiceReference, { namespace, name }: RegistrationOptions): boolean {
  return service.namespace === namespace && service.name === name;
}

const serviceReferenceSchema = v.object({ namespace: v.string(), name: v.string() });
const apiServiceSchema = v.object({ spec: v.object({ service: v.nullish(serviceReferenceSchema) }) });
const roleSchema = v.object({
  metadata: v.object({ uid: v.string(), deletionTimestamp: v.optional(v.string()) }),
});
const deploymentSchema = v.object({ spec: v.object({ replicas: v.number() }) });
