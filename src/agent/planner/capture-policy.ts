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
  /** Why the selector cannot be read; it selects nothing then. */
  readonly selectorProblem?: string;
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
 * Returns a parser of the API's objects. Whatever its spec is, a policy is valid, so that each version replaces the one
 * before. With a value that is not allowed, it refuses its Pods; one whose selector cannot be read selects nothing, and
 * neither does one that is being deleted.
 */
export function parsePolicy(limits: RequestLimits): (object: unknown) => ParsedObject<CapturePolicy> {
  return (object) => {
    const parsed = v.safeParse(policySchema, object);
    if (!parsed.success) return { kind: 'invalid', problem: problemOf('', parsed.issues) };
    const { namespace, name, creationTimestamp, deletionTimestamp } = parsed.output.metadata;
    const spec = specOf(parsed.output.spec);
    return {
      kind: 'valid',
      object: {
        namespace,
        name,
        creationTimestamp,
        ...(deletionTimestamp === null ? readSelector(spec) : { selector: selectsNothing }),
        expiresMs: expiryOf(spec),
        request: requestIn(spec, name, limits),
        object: { metadata: { namespace, name, creationTimestamp }, spec },
      },
    };
  };
}

function readSelector(spec: Spec): Pick<CapturePolicy, 'selector' | 'selectorProblem'> {
  const read = v.safeParse(selectorSchema, spec['selector']);
  if (read.success) return { selector: read.output };
  return { selector: selectsNothing, selectorProblem: problemOf('spec.selector', read.issues) };
}

function requestIn(spec: Spec, name: string, limits: RequestLimits): PolicyRequest {
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

/** No Pod has a label with one of no values. */
const selectsNothing: PolicySelector = {
  labels: [],
  expressions: [{ key: 'none', operator: 'In', values: new Set() }],
};

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
  metadata: v.object({
    namespace: v.string(),
    name: v.string(),
    creationTimestamp: v.string(),
    deletionTimestamp: v.nullish(v.unknown(), null),
  }),
  spec: v.optional(v.unknown()),
});

type Spec = Readonly<Record<string, unknown>>;
const specSchema = v.record(v.string(), v.unknown());

/** One that is not an object has no field, and so no selector. */
function specOf(spec: unknown): Spec {
  return v.is(specSchema, spec) ? spec : {};
}

function problemOf(path: string, issues: readonly v.BaseIssue<unknown>[]): string {
  const problems = issues.map((issue) => {
    const field = [path, v.getDotPath(issue)].filter(Boolean).join('.');
    return `${field || 'the object'}: ${issue.message}`;
  });
  return problems.join('; ');
}
