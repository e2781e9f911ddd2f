import * as v from 'valibot';
import type { ParsedObject } from '../../kubernetes/list-watch.ts';
import type { Pod } from '../../kubernetes/pod.ts';
import { type CaptureSpec, freezeTextOf, type Request, type RequestLimits } from './annotations.ts';
import { expiryOf, parsePolicySpec } from './policy-fields.ts';
import { type PolicySelector, selectorSchema } from './policy-selector.ts';
import { hostNetwork, invalidPolicy, type Refusal, unknownPolicyField } from './refusals.ts';

/** A CapturePolicy: it asks for a capture of each Pod of its namespace that it selects. */
export type CapturePolicy = {
  readonly namespace: string;
  readonly name: string;
  readonly creationTimestamp: string;
  readonly selector: PolicySelector;
  /** From then on it selects no Pod, in milliseconds of Unix time; undefined: never. */
  readonly expiresMs: number | undefined;
  readonly request: PolicyRequest;
  /** As the API server has it: what an agent writes down for the next one. */
  readonly object: object;
};

/** The same for each of its Pods. */
type PolicyRequest =
  | { readonly kind: 'capture'; readonly spec: CaptureSpec }
  | { readonly kind: 'refused'; readonly refusal: Refusal };

export const policyGroup = 'policy.podcap.dev';
export const policyVersion = 'v1alpha1';
export const policyResource = 'capturepolicies';

/**
 * Returns a parser of the API's objects. A policy with a value that is not allowed is valid, and its Pods are refused;
 * one whose selector cannot be read selects nothing, and is not.
 */
export function parsePolicy(limits: RequestLimits): (object: unknown) => ParsedObject<CapturePolicy> {
  return (object) => {
    const parsed = v.safeParse(policySchema, object);
    if (!parsed.success) return invalid('', parsed.issues);
    const { metadata, spec } = parsed.output;
    const selector = v.safeParse(selectorSchema, spec['selector']);
    if (!selector.success) return invalid('spec.selector', selector.issues);
    return {
      kind: 'valid',
      object: {
        ...metadata,
        selector: selector.output,
        expiresMs: expiryOf(spec),
        request: requestIn(spec, metadata.name, limits),
        object: { metadata, spec },
      },
    };
  };
}

function requestIn(
  spec: Readonly<Record<string, unknown>>,
  name: string,
  limits: RequestLimits,
): PolicyRequest {
  const read = parsePolicySpec(spec, limits);
  switch (read.kind) {
    case 'valid':
      return { kind: 'capture', spec: { ...read.capture, policy: name } };
    case 'invalid':
      return { kind: 'refused', refusal: invalidPolicy(name, read) };
    case 'unknown':
      return { kind: 'refused', refusal: unknownPolicyField(name, read.field, read) };
  }
}

/** What a policy asks for a Pod that it selects. Freezing by hand concerns the Pod, whoever asks for its capture. */
export function requestBy(
  { request }: Pick<CapturePolicy, 'request'>,
  pod: Pick<Pod, 'hostNetwork' | 'annotations'>,
): Request {
  if (request.kind === 'refused') return request;
  if (pod.hostNetwork) return { kind: 'refused', refusal: hostNetwork };
  const text = freezeTextOf(pod);
  if (text === undefined) return request;
  return { kind: 'capture', spec: { ...request.spec, freeze: { ...request.spec.freeze, text } } };
}

/** Only what is read: the managed fields of an object can be larger than everything else. */
const policySchema = v.object({
  metadata: v.object({ namespace: v.string(), name: v.string(), creationTimestamp: v.string() }),
  spec: v.record(v.string(), v.unknown()),
});

function invalid(
  path: string,
  issues: readonly v.BaseIssue<unknown>[],
): ParsedObject<CapturePolicy> & { kind: 'invalid' } {
  const problems = issues.map((issue) => {
    const field = [path, v.getDotPath(issue)].filter(Boolean).join('.');
    return `${field || 'the object'}: ${issue.message}`;
  });
  return { kind: 'invalid', problem: problems.join('; ') };
}
