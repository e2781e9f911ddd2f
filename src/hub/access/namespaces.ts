import * as v from 'valibot';
import type { Capture } from '../../api/capture.ts';
import { lruCache } from '../../base/lru-cache.ts';
import { semaphore } from '../../base/semaphore.ts';
import { sharedWork } from '../../base/shared-work.ts';
import { ApiError } from '../../kubernetes/api-error.ts';
import type { KubernetesClient } from '../../kubernetes/client.ts';
import type { Log } from '../../kubernetes/logger.ts';
import { isNoAnswer } from './no-answer.ts';
import { type NamespaceAge, servedCapture } from './served-capture.ts';

/**
 * Which captures may be served: only what is younger than its namespace, so that a namespace that was deleted and created
 * again inherits nothing.
 */
export type Namespaces = {
  /**
   * Leaves out recordings that began before their namespace was created, or whose namespace is gone, and a capture with
   * no recording left. A capture that keeps all its recordings is the same object as before, so that what is kept about it
   * stays valid. Throws nothing: captures of a namespace that could not be checked stay, and it is named.
   */
  readonly visible: (captures: readonly Capture[], signal: AbortSignal) => Promise<VisibleCaptures>;
  /** Asks the API server now, however fresh the last answer is: before bytes are served. Throws nothing. */
  readonly ageOf: (namespace: string, signal: AbortSignal) => Promise<NamespaceAge>;
};

export type VisibleCaptures = {
  /** In the same order. */
  readonly captures: readonly Capture[];
  /** The namespaces that could not be checked. */
  readonly unchecked: readonly string[];
};

export type NamespacesOptions = {
  readonly client: Pick<KubernetesClient, 'get'>;
  readonly log: Log;
  readonly limits?: Partial<NamespacesLimits>;
};

export type NamespacesLimits = {
  /** How long an answer counts, from when it was asked for. */
  readonly answerMs: number;
  /** The same for that there is none: it may have been created since, and its Pods are captured at once. */
  readonly missingMs: number;
  /** How long the API server may take. */
  readonly deadlineMs: number;
  /** How long a question may wait for others before it is asked. */
  readonly waitMs: number;
  readonly cachedAnswers: number;
  readonly inFlight: number;
};

const defaultLimits: NamespacesLimits = {
  answerMs: 30_000,
  missingMs: 1_000,
  deadlineMs: 5_000,
  waitMs: 30_000,
  cachedAnswers: 10_000,
  inFlight: 16,
};

/** Reads each namespace from the API server, when it is needed: the hub may get namespaces, not list them. */
export function namespaces({ client, log, limits: given = {} }: NamespacesOptions): Namespaces {
  const limits = { ...defaultLimits, ...given };
  const answers = lruCache<CachedAge>(limits.cachedAnswers);
  const permits = semaphore(limits.inFlight);

  const read = sharedWork(async (namespace, unwanted): Promise<NamespaceAge> => {
    const within = (ms: number) => AbortSignal.any([unwanted, AbortSignal.timeout(ms)]);
    try {
      return await permits(async () => {
        const askedMs = performance.now();
        const age = await readAge(client, namespace, within(limits.deadlineMs));
        answers.set(namespace, { age, askedMs });
        return age;
      }, within(limits.waitMs));
    } catch (error) {
      if (!isNoAnswer(error)) throw error;
      log.warn({ namespace, problem: error.message }, 'failed to read namespace');
      return { kind: 'unknown' };
    }
  });

  async function ageOf(namespace: string, signal: AbortSignal): Promise<NamespaceAge> {
    // A compromised agent reports what it likes: such a name must not lead to another path.
    if (!namespaceName.test(namespace)) return { kind: 'missing' };
    if (signal.aborted) return { kind: 'unknown' };
    return await read(namespace, signal).catch((error: unknown) => {
      if (signal.aborted) return { kind: 'unknown' };
      throw error;
    });
  }

  async function recentAgeOf(namespace: string, signal: AbortSignal): Promise<NamespaceAge> {
    const known = answers.get(namespace);
    const recentMs = known?.age.kind === 'missing' ? limits.missingMs : limits.answerMs;
    const isRecent = known !== undefined && performance.now() - known.askedMs < recentMs;
    return isRecent ? known.age : await ageOf(namespace, signal);
  }

  return {
    ageOf,
    async visible(captures, signal) {
      const names = [...new Set(captures.map(({ metadata }) => metadata.namespace))];
      const ages = new Map(
        await Promise.all(names.map(async (name) => [name, await recentAgeOf(name, signal)] as const)),
      );
      return {
        captures: captures.flatMap((capture) => {
          const age = ages.get(capture.metadata.namespace) ?? { kind: 'unknown' };
          return servedCapture(capture, age) ?? [];
        }),
        unchecked: names.filter((name) => ages.get(name)?.kind === 'unknown'),
      };
    },
  };
}

type CachedAge = { readonly age: NamespaceAge; readonly askedMs: number };

/** A label of RFC 1123. */
const namespaceName = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;

const namespaceSchema = v.object({
  metadata: v.object({ creationTimestamp: v.pipe(v.string(), v.isoTimestamp()) }),
});

async function readAge(
  client: Pick<KubernetesClient, 'get'>,
  namespace: string,
  signal: AbortSignal,
): Promise<NamespaceAge> {
  try {
    const object = await client.get({ path: `/api/v1/namespaces/${namespace}`, signal });
    const { creationTimestamp } = v.parse(namespaceSchema, object).metadata;
    return { kind: 'created', atMs: Date.parse(creationTimestamp) };
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return { kind: 'missing' };
    throw error;
  }
}
