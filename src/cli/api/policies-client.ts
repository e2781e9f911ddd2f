import { policyGroup, policyResource, policyVersion } from '../../agent/planner/capture-policy.ts';
import { type ApiRefusal, requestObject } from './api-answer.ts';
import { apiPath, inNamespace } from './api-paths.ts';
import type { Cluster } from './cluster.ts';

/** A CapturePolicy to create. */
export type NewPolicy = {
  readonly namespace: string;
  readonly name: string;
  readonly spec: object;
};

/**
 * Creates a CapturePolicy; the API server checks its values too. AlreadyExists is the refusal for a name that is taken,
 * and NotFound for a cluster without policies.
 */
export async function createPolicy(
  cluster: Cluster,
  { namespace, name, spec }: NewPolicy,
  signal: AbortSignal,
): Promise<{ readonly kind: 'created' } | ApiRefusal> {
  const path = apiPath(['apis', policyGroup, policyVersion, ...inNamespace(namespace), policyResource]);
  const body = {
    apiVersion: `${policyGroup}/${policyVersion}`,
    kind: 'CapturePolicy',
    metadata: { name, namespace },
    spec,
  };
  const answer = await requestObject(cluster, { method: 'POST', path, body, signal });
  return answer.kind === 'refused' ? answer : { kind: 'created' };
}
