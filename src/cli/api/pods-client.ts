import * as v from 'valibot';
import { exitCodes } from '../../commands/terminal.ts';
import { stringMap } from '../../kubernetes/string-map.ts';
import { CommandFailure } from '../cli-command.ts';
import { type ApiRefusal, failureOf, parseObject, requestObject } from './api-answer.ts';
import { apiPath, inNamespace } from './api-paths.ts';
import type { Cluster } from './cluster.ts';
import type { TargetPod } from './targets.ts';

export type PodName = { readonly namespace: string; readonly name: string };

/** A Pod, with who controls it. */
export type OwnedPod = TargetPod & {
  readonly controller: { readonly uid: string; readonly name: string } | undefined;
};

/** A Pod as it is now; undefined if there is none of that name. Throws a CommandFailure if the API server refuses. */
export async function readPod(
  cluster: Cluster,
  pod: PodName,
  signal: AbortSignal,
): Promise<OwnedPod | undefined> {
  const path = podPath(pod);
  const answer = await requestObject(cluster, { path, signal });
  if (answer.kind === 'object') return parsePodObject(answer.object, path);
  if (answer.reason === 'NotFound') return undefined;
  throw failureOf(answer);
}

/** The Pods of a namespace that a label selector selects. Throws a CommandFailure if the API server refuses. */
export async function listPods(
  cluster: Cluster,
  { namespace, labelSelector }: { readonly namespace: string; readonly labelSelector: string },
  signal: AbortSignal,
): Promise<OwnedPod[]> {
  const pods: OwnedPod[] = [];
  const tokens = new Set<string>();
  let token: string | undefined;
  do {
    const query = { labelSelector, limit: '500', continue: token };
    const path = apiPath(podsSegments(namespace), query);
    const answer = await requestObject(cluster, { path, signal });
    if (answer.kind === 'refused') throw failureOf(answer);
    const page = parseObject(podListSchema, answer.object, path);
    pods.push(...page.items.map((item) => parsePodObject(item, path)));
    token = page.metadata?.continue || undefined;
    if (token !== undefined && (tokens.has(token) || tokens.size >= mostPages)) throw endlessList(path);
    if (token !== undefined) tokens.add(token);
  } while (token !== undefined);
  return pods;
}

/** Half a million Pods, several times what a cluster can have. */
const mostPages = 1_000;

function endlessList(path: string): CommandFailure {
  return new CommandFailure(`the list of ${path} has no end: it names the same page again`, exitCodes.failed);
}

/**
 * Sets annotations of a Pod; undefined removes one. Returns the Pod as it is then, or the refusal. With a UID, only a Pod
 * that has it is changed: a Pod that was created again under the name is a Conflict. With a resourceVersion, so is one
 * that has changed since.
 */
export async function patchPodAnnotations(
  cluster: Cluster,
  pod: PodName & { readonly uid?: string; readonly resourceVersion?: string | undefined },
  annotations: Readonly<Record<string, string | undefined>>,
  signal: AbortSignal,
): Promise<{ readonly kind: 'patched'; readonly pod: OwnedPod } | ApiRefusal> {
  const path = podPath(pod);
  const merged = Object.fromEntries(Object.entries(annotations).map(([key, value]) => [key, value ?? null]));
  const { uid, resourceVersion } = pod;
  const body = {
    metadata: {
      ...(uid !== undefined && { uid }),
      ...(resourceVersion !== undefined && { resourceVersion }),
      annotations: merged,
    },
  };
  const answer = await requestObject(cluster, { method: 'PATCH', path, body, signal });
  if (answer.kind === 'refused') return isOtherUid(answer) ? otherPod(answer, pod) : answer;
  return { kind: 'patched', pod: parsePodObject(answer.object, path) };
}

/** The API server takes another UID for an attempt to change it. */
function isOtherUid({ status, message }: ApiRefusal): boolean {
  return status === 422 && message.includes('metadata.uid');
}

function otherPod(refusal: ApiRefusal, { name, namespace }: PodName): ApiRefusal {
  const message = `Pod ${name} in namespace ${namespace} was created again meanwhile: run the command again`;
  return { ...refusal, reason: 'Conflict', message };
}

/** Validates a Pod. Throws a CommandFailure for what is none. */
export function parsePodObject(object: unknown, path: string): OwnedPod {
  const { metadata, spec, status } = parseObject(podSchema, object, path);
  const controller = metadata.ownerReferences?.find((owner) => owner.controller === true);
  return {
    namespace: metadata.namespace,
    name: metadata.name,
    uid: metadata.uid,
    resourceVersion: metadata.resourceVersion ?? undefined,
    node: spec?.nodeName || undefined,
    phase: status?.phase ?? 'Unknown',
    isHostNetwork: spec?.hostNetwork === true,
    isBeingDeleted: metadata.deletionTimestamp != null,
    annotations: metadata.annotations ?? {},
    labels: metadata.labels ?? {},
    controller: controller && { uid: controller.uid, name: controller.name },
  };
}

/** The segments of the path of the Pods of a namespace. */
export function podsSegments(namespace: string): readonly string[] {
  return ['api', 'v1', ...inNamespace(namespace), 'pods'];
}

function podPath({ namespace, name }: PodName): string {
  return apiPath([...podsSegments(namespace), name]);
}

export const ownerReferencesSchema = v.nullish(
  v.array(v.object({ uid: v.string(), name: v.string(), controller: v.nullish(v.boolean()) })),
);

const podSchema = v.object({
  metadata: v.object({
    namespace: v.string(),
    name: v.string(),
    uid: v.string(),
    resourceVersion: v.nullish(v.string()),
    deletionTimestamp: v.nullish(v.string()),
    annotations: v.nullish(stringMap),
    labels: v.nullish(stringMap),
    ownerReferences: ownerReferencesSchema,
  }),
  spec: v.nullish(v.object({ nodeName: v.nullish(v.string()), hostNetwork: v.nullish(v.boolean()) })),
  status: v.nullish(v.object({ phase: v.nullish(v.string()) })),
});

const podListSchema = v.object({
  metadata: v.nullish(v.object({ continue: v.nullish(v.string()) })),
  items: v.nullish(v.array(v.unknown()), []),
});
