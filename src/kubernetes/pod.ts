import * as v from 'valibot';
import { ApiError } from './api-error.ts';
import type { KubernetesClient } from './client.ts';
import {
  type ContainerStatus,
  containersOf,
  containersSpecSchema,
  containersStatusSchema,
} from './container-status.ts';
import type { ParsedObject } from './list-watch.ts';
import { stringMap } from './string-map.ts';

/** The fields of a Pod that Podcap keeps: a few hundred bytes of the 7 kB and more that a Pod has. */
export type Pod = {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly resourceVersion: string;
  /**
   * Only those that Podcap reads: tcpdump.antrea.io, the kubelet's config.mirror of a static Pod, and 64 of podcap.dev/*
   * in upper and lower case: more than it knows, so that one that it does not know is among them. Values are cut to 4 KiB,
   * which is longer than any that is allowed.
   */
  readonly annotations: Readonly<Record<string, string>>;
  /** Undefined if its keys and values have more than 32 KiB: a Pod can have any number, and nobody needs that many. */
  readonly labels: Readonly<Record<string, string>> | undefined;
  readonly hostNetwork: boolean;
  /** Empty until the Pod is scheduled. */
  readonly nodeName: string;
  /** Pending, Running, Succeeded, Failed or Unknown. */
  readonly phase: string;
  readonly creationTimestamp: string;
  readonly deletionTimestamp?: string;
  /**
   * How long its containers may run on after it is deleted, in seconds: the longer one of what its specification and its
   * deletion give. A deletion by force takes the Pod from the API at once, and gives 0, but the kubelet may still give
   * the containers what is in the specification.
   */
  readonly gracePeriodSeconds: number;
  /** Why it is in that phase, in a word of the kubelet; undefined if it says nothing. */
  readonly reason?: string;
  readonly containers: readonly ContainerStatus[];
};

/**
 * The UID by which the CNI plugin knows the Pod. For a static Pod that is the UID of its manifest, while the API server
 * has that of its mirror Pod. Only a mirror Pod has the annotation config.mirror: the API server allows no one to add
 * it later, and no container runs for a made-up mirror Pod. config.hash has the same value, but anyone can write it to
 * any Pod, which would hide that Pod or give it the network of an earlier Pod of its name.
 */
export function networkUidOf(pod: Pick<Pod, 'uid' | 'annotations'>): string {
  return pod.annotations[mirrorAnnotation] ?? pod.uid;
}

/**
 * How long after its deletion the Pod's network may still exist, in milliseconds: the grace period of its containers,
 * and a minute in which the kubelet notices the deletion and tears the Pod down.
 */
export function longestEndMs({ gracePeriodSeconds }: Pick<Pod, 'gracePeriodSeconds'>): number {
  return gracePeriodSeconds * 1_000 + 60_000;
}

/** Reduces an object of the API to a Pod; if it is not one, the problem names the field. */
export function parsePod(object: unknown): ParsedObject<Pod> {
  const parsed = v.safeParse(podSchema, object);
  if (!parsed.success) return { kind: 'invalid', problem: parsed.issues.map(problem).join('; ') };
  const { metadata, spec, status } = parsed.output;
  const { annotations, labels, deletionTimestamp, deletionGracePeriodSeconds, ...rest } = metadata;
  return {
    kind: 'valid',
    object: {
      ...rest,
      annotations: readAnnotations(annotations ?? {}),
      labels: readLabels(labels ?? {}),
      hostNetwork: spec.hostNetwork ?? false,
      nodeName: spec.nodeName ?? '',
      phase: status?.phase ?? 'Pending',
      gracePeriodSeconds: Math.max(
        spec.terminationGracePeriodSeconds ?? defaultGracePeriodSeconds,
        deletionGracePeriodSeconds ?? 0,
      ),
      ...(status?.reason && { reason: status.reason }),
      containers: containersOf(spec, status ?? {}),
      ...(deletionTimestamp == null ? {} : { deletionTimestamp }),
    },
  };
}

/**
 * Reads one Pod as it is now (resourceVersion unset: never from a stale cache); undefined when no Pod has that name.
 * Throws an ApiError when this cannot be known: the caller must then conclude nothing.
 */
export async function readPod(
  client: Pick<KubernetesClient, 'get'>,
  {
    namespace,
    name,
    signal,
  }: { readonly namespace: string; readonly name: string; readonly signal?: AbortSignal },
): Promise<Pod | undefined> {
  const path = `/api/v1/namespaces/${namespace}/pods/${name}`;
  try {
    const parsed = parsePod(await client.get({ path, ...(signal === undefined ? {} : { signal }) }));
    if (parsed.kind === 'valid') return parsed.object;
    throw new ApiError({ method: 'GET', path, reason: 'Malformed', message: parsed.problem });
  } catch (error) {
    // A 404 of a proxy says nothing about the Pod.
    if (error instanceof ApiError && error.status === 404 && error.reason === 'NotFound') return undefined;
    throw error;
  }
}

const podSchema = v.object({
  metadata: v.object({
    namespace: v.string(),
    name: v.string(),
    uid: v.string(),
    resourceVersion: v.string(),
    creationTimestamp: v.string(),
    deletionTimestamp: v.nullish(v.string()),
    deletionGracePeriodSeconds: v.nullish(v.number()),
    annotations: v.nullish(v.record(v.string(), v.string())),
    labels: v.nullish(stringMap),
  }),
  spec: v.object({
    nodeName: v.optional(v.string()),
    hostNetwork: v.optional(v.boolean()),
    terminationGracePeriodSeconds: v.nullish(v.number()),
    ...containersSpecSchema,
  }),
  status: v.nullish(
    v.object({ phase: v.optional(v.string()), reason: v.nullish(v.string()), ...containersStatusSchema }),
  ),
});

/** The API server's own. */
const defaultGracePeriodSeconds = 30;
const mirrorAnnotation = 'kubernetes.io/config.mirror';
const readKeys = new Set(['tcpdump.antrea.io', mirrorAnnotation]);
const mostOptions = 64;
const mostValueCharacters = 4_096;
const mostLabelCharacters = 32_768;

/** A Pod can have 256 KiB of annotations. */
function readAnnotations(annotations: Readonly<Record<string, string>>): Record<string, string> {
  const keys = Object.keys(annotations);
  const options = keys.filter((key) => key.toLowerCase().startsWith('podcap.dev/')).slice(0, mostOptions);
  const read = [...keys.filter((key) => readKeys.has(key)), ...options];
  return Object.fromEntries(read.map((key) => [key, cut(annotations[key] ?? '')]));
}

/** All or none: a selector can ask for the absence of a label. */
function readLabels(labels: Readonly<Record<string, string>>): Pod['labels'] {
  const characters = Object.entries(labels).reduce((sum, [key, value]) => sum + key.length + value.length, 0);
  return characters > mostLabelCharacters ? undefined : labels;
}

/** A slice would keep the whole value in memory. */
function cut(value: string): string {
  if (value.length <= mostValueCharacters) return value;
  return Buffer.from(value.slice(0, mostValueCharacters), 'utf16le').toString('utf16le');
}

function problem(issue: v.BaseIssue<unknown>): string {
  return `${v.getDotPath(issue) ?? 'the object'}: ${issue.message}`;
}
