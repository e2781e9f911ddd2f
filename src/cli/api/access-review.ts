import * as v from 'valibot';
import { objectOf, parseObject, requestObject } from './api-answer.ts';
import { apiPath } from './api-paths.ts';
import type { Cluster } from './cluster.ts';

/** What a user may do, as RBAC sees it. */
export type AccessQuestion = {
  readonly verb: string;
  /** '' for Pods. */
  readonly group: string;
  readonly resource: string;
  readonly subresource?: string;
  /** Undefined: in all namespaces. */
  readonly namespace: string | undefined;
  /** Undefined: of any name. */
  readonly name?: string;
};

/**
 * Whether the user may do it: `kubectl auth can-i`, by a SelfSubjectAccessReview.
 *
 * @throws CommandFailure if the API server refuses to say.
 */
export async function isAllowed(
  cluster: Cluster,
  question: AccessQuestion,
  signal: AbortSignal,
): Promise<boolean> {
  const { namespace = '', ...others } = question;
  const path = apiPath(['apis', 'authorization.k8s.io', 'v1', 'selfsubjectaccessreviews']);
  const body = {
    apiVersion: 'authorization.k8s.io/v1',
    kind: 'SelfSubjectAccessReview',
    spec: { resourceAttributes: { namespace, ...others } },
  };
  const answer = await requestObject(cluster, { method: 'POST', path, body, signal });
  return parseObject(reviewSchema, objectOf(answer), path).status.allowed;
}

const reviewSchema = v.object({ status: v.object({ allowed: v.boolean() }) });
