import { isDeepStrictEqual } from 'node:util';
import * as v from 'valibot';
import { policyGroup, policyResource, policyVersion } from '../../agent/planner/capture-policy.ts';
import { type ApiRefusal, objectOf, parseObject, requestObject } from '../api/api-answer.ts';
import { apiPath, inNamespace } from '../api/api-paths.ts';
import type { Cluster } from '../api/cluster.ts';
import { createPolicy, type NewPolicy } from '../api/policies-client.ts';

export type WrittenPolicy =
  | { readonly kind: 'created' | 'replaced' }
  /** It asks for that already; `expires`: until when. */
  | { readonly kind: 'same'; readonly expires: string | undefined }
  /** A policy of that name asks for something else. */
  | { readonly kind: 'kept' }
  | { readonly kind: 'refused'; readonly message: string };

/** Creates the policy. One of that name that is there stays, unless it is to be overwritten. */
export async function writePolicy(
  cluster: Cluster,
  policy: NewPolicy,
  { overwrite, signal }: { readonly overwrite: boolean; readonly signal: AbortSignal },
): Promise<WrittenPolicy> {
  const answer = await createPolicy(cluster, policy, signal);
  if (answer.kind === 'created') return answer;
  if (answer.reason !== 'AlreadyExists')
    return { kind: 'refused', message: isWithoutPolicies(answer) ? noPolicies : answer.message };
  const present = await readPolicySpec(cluster, policy, signal);
  if (overwrite) return await replaceSpec(cluster, policy, signal);
  const isSame = isDeepStrictEqual({ ...present, expires: '' }, { ...policy.spec, expires: '' });
  const { expires } = present;
  return isSame
    ? { kind: 'same', expires: typeof expires === 'string' ? expires : undefined }
    : { kind: 'kept' };
}

/** A namespace that does not exist is a 404, too. */
function isWithoutPolicies({ status, message }: ApiRefusal): boolean {
  return status === 404 && !message.startsWith('namespaces ');
}

const noPolicies =
  "this cluster has no CapturePolicies: their CRD is a part of Podcap's chart (crds.install), which an administrator installs";

const policySchema = v.object({ spec: v.record(v.string(), v.unknown()) });

async function readPolicySpec(
  cluster: Cluster,
  policy: NewPolicy,
  signal: AbortSignal,
): Promise<Readonly<Record<string, unknown>>> {
  const path = policyPath(policy);
  return parseObject(policySchema, objectOf(await requestObject(cluster, { path, signal })), path).spec;
}

/** A merge would keep fields that are not asked for any more. */
async function replaceSpec(cluster: Cluster, policy: NewPolicy, signal: AbortSignal): Promise<WrittenPolicy> {
  const answer = await requestObject(cluster, {
    method: 'PATCH',
    path: policyPath(policy),
    contentType: 'application/json-patch+json',
    body: [{ op: 'replace', path: '/spec', value: policy.spec }],
    signal,
  });
  return answer.kind === 'refused' ? { kind: 'refused', message: answer.message } : { kind: 'replaced' };
}

function policyPath({ namespace, name }: NewPolicy): string {
  return apiPath(['apis', policyGroup, policyVersion, ...inNamespace(namespace), policyResource, name]);
}
