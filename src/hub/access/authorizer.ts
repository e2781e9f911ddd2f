import { createHash } from 'node:crypto';
import * as v from 'valibot';
import { apiGroup, apiVersion } from '../../api/capture.ts';
import { lruCache } from '../../base/lru-cache.ts';
import { semaphore } from '../../base/semaphore.ts';
import { sharedWork } from '../../base/shared-work.ts';
import type { KubernetesClient } from '../../kubernetes/client.ts';
import type { Log } from '../../kubernetes/logger.ts';
import type { Access, Caller, ResourceAttributes } from './access.ts';
import { authorizationUnavailable, forbidden } from './access-errors.ts';
import { isNoAnswer } from './no-answer.ts';

export type AuthorizerOptions = {
  readonly client: Pick<KubernetesClient, 'create'>;
  readonly log: Log;
  readonly limits?: Partial<AuthorizerLimits>;
};

export type AuthorizerLimits = {
  /** How long an answer counts, from when it was asked for: kube-apiserver's own extensions take 10 s. */
  readonly allowedMs: number;
  /** Shorter: whoever has just been given a role tries again. */
  readonly deniedMs: number;
  readonly deadlineMs: number;
  readonly cachedAnswers: number;
  readonly inFlight: number;
};

const defaultLimits: AuthorizerLimits = {
  allowedMs: 10_000,
  deniedMs: 5_000,
  deadlineMs: 10_000,
  cachedAnswers: 10_000,
  inFlight: 32,
};

/**
 * Authorizes each request by a SubjectAccessReview. Without an answer, nothing is allowed: the caller gets a 503. The
 * verbs of subresources are asked of `captures` itself, so that no role that reads every resource and subresource has them.
 */
export function authorizer({ client, log, limits: given = {} }: AuthorizerOptions): Access['authorize'] {
  const limits = { ...defaultLimits, ...given };
  const answers = lruCache<CachedAnswer>(limits.cachedAnswers);
  const permits = semaphore(limits.inFlight);

  const ask = sharedWork(async (spec, unwanted): Promise<boolean> => {
    const signal = AbortSignal.any([unwanted, AbortSignal.timeout(limits.deadlineMs)]);
    return await permits(async () => {
      const askedMs = performance.now();
      const answer = await client.create({
        path: '/apis/authorization.k8s.io/v1/subjectaccessreviews',
        body: {
          apiVersion: 'authorization.k8s.io/v1',
          kind: 'SubjectAccessReview',
          spec: JSON.parse(spec),
        },
        signal,
        deadlineMs: limits.deadlineMs,
      });
      const { allowed: mayBe, denied, evaluationError } = v.parse(reviewSchema, answer).status;
      const allowed = mayBe && !denied;
      if (evaluationError !== undefined) log.warn({ evaluationError }, 'reviewed access with an error');
      answers.set(keyOf(spec), { allowed, askedMs });
      return allowed;
    }, signal);
  });

  async function isAllowed(spec: string, signal: AbortSignal): Promise<boolean> {
    const known = answers.get(keyOf(spec));
    const validMs = known?.allowed === true ? limits.allowedMs : limits.deniedMs;
    if (known && performance.now() - known.askedMs < validMs) return known.allowed;
    return await ask(spec, signal);
  }

  /** Whether the caller may at least see captures there, for the words of a refusal. */
  async function maySee(caller: Caller, attributes: ResourceAttributes, signal: AbortSignal) {
    if (attributes.verb !== 'download' && attributes.verb !== 'tap') return false;
    return await isAllowed(specOf(caller, { ...attributes, verb: 'get' }), signal);
  }

  return async (caller, attributes, signal) => {
    try {
      if (await isAllowed(specOf(caller, attributes), signal)) return undefined;
      return forbidden(caller, attributes, { maySee: await maySee(caller, attributes, signal) });
    } catch (error) {
      if (!signal.aborted) {
        if (!isNoAnswer(error)) throw error;
        log.warn({ problem: error.message }, 'failed to review access');
      }
      return authorizationUnavailable;
    }
  };
}

type CachedAnswer = { readonly allowed: boolean; readonly askedMs: number };

const reviewSchema = v.object({
  status: v.object({
    allowed: v.boolean(),
    denied: v.optional(v.boolean(), false),
    evaluationError: v.optional(v.string()),
  }),
});

/** The spec of the review in JSON: equal for equal requests. */
function specOf({ user, uid, groups, extra }: Caller, { verb, namespace, name }: ResourceAttributes): string {
  const version = apiVersion.slice(apiGroup.length + 1);
  const resourceAttributes = { group: apiGroup, version, resource: 'captures', verb, namespace, name };
  return JSON.stringify({ user, uid, groups, extra, resourceAttributes });
}

/** Short, as a spec can have as many bytes as the head of a request. */
function keyOf(spec: string): string {
  return createHash('sha256').update(spec).digest('base64');
}
