import { podInterface } from '../netns/pod-interface.ts';
import { filterSourceOf } from '../planner/annotations.ts';
import { invalidFilter, noSuchInterface } from '../planner/refusals.ts';
import {
  type Desired,
  hasLostNetwork,
  isSameCapture,
  keyOf,
  type Memory,
  type Observed,
  type ObservedCapture,
  type Outcome,
  requestIn,
  ringsOf,
  type Step,
  type StepKey,
  type StepResult,
  startKey,
} from './pod-state.ts';
import type { Ending } from './tcpdump.ts';

/** What counts later of the steps and captures that have ended. Pure. */

export const noMemory: Memory = { outcomes: new Map(), goneSandbox: undefined };

/** How long a runtime may take to delete the rest of a sandbox whose interface is gone. */
const sandboxEndMs = 1_000;
/** An additional interface may appear later than the Pod's own: how often the agent checks. */
const interfaceRetryMs = 30_000;

export type EndOfStep = {
  readonly key: StepKey;
  readonly kind: Step['kind'];
  readonly forRevision: number;
  readonly nowMs: number;
  /** How long the next attempt waits if this one has failed. */
  readonly delayMs: number;
};

/** Returns the memory after a step has ended. */
export function afterStep(
  memory: Memory,
  { key, kind, forRevision, nowMs, delayMs }: EndOfStep,
  result: StepResult,
): Memory {
  const base = { forRevision, atMs: nowMs };
  switch (result.kind) {
    case 'done':
      return withOutcome(memory, key, isRemembered(kind) ? { ...base, kind: 'done' } : undefined);
    case 'refused': {
      const { refusal, retryMs } = result;
      return withOutcome(memory, key, { ...base, kind: 'refused', refusal, notBeforeMs: nowMs + retryMs });
    }
    case 'failed':
      return withOutcome(memory, key, { ...base, ...result, notBeforeMs: nowMs + delayMs });
  }
}

/** Steps whose success counts later. */
function isRemembered(kind: Step['kind']): boolean {
  return kind === 'checkFilter' || kind === 'askWhetherToErase';
}

function withOutcome(memory: Memory, key: StepKey, outcome: Outcome | undefined): Memory {
  const outcomes = new Map(memory.outcomes);
  if (outcome) outcomes.set(key, outcome);
  else outcomes.delete(key);
  return { ...memory, outcomes };
}

/** What the end of a capture means for the next start. */
export type Conclusion =
  | { readonly kind: 'nothing' }
  /** Its sandbox is being deleted. */
  | { readonly kind: 'sandboxGone' }
  | Exclude<StepResult, { kind: 'done' }>;

/** Returns what to conclude from the end of a capture that is still observed. */
export function conclude(
  capture: ObservedCapture,
  { cause, message }: Ending,
  desired: Desired,
  { captures, network }: Pick<Observed, 'captures' | 'network'>,
): Conclusion {
  const { spec, generation } = capture;
  if (cause === 'interfaceGone') return { kind: 'sandboxGone' };
  if (cause === 'stopped') return { kind: hasLostNetwork(capture, network) ? 'sandboxGone' : 'nothing' };
  // What is replaced, or not requested any more, says nothing about what is.
  const isReplaced = captures.some(
    (other) => other.spec.interface === spec.interface && other.generation > generation,
  );
  const isRequested = ringsOf(desired).some((ring) => isSameCapture(ring, spec));
  if (isReplaced || !isRequested) return { kind: 'nothing' };
  // The Pod's own interface is missing only while its network is being deleted, which is a failure to retry.
  if (cause === 'noSuchDevice' && spec.interface !== podInterface) {
    const refusal = noSuchInterface(spec.interface, interfaceRetryMs);
    return { kind: 'refused', refusal, retryMs: interfaceRetryMs };
  }
  if (cause === 'filterRefused' && spec.filter !== undefined) {
    const refusal = invalidFilter(filterSourceOf(requestIn(desired)), spec.filter, message);
    return { kind: 'refused', refusal, retryMs: Number.POSITIVE_INFINITY };
  }
  const isOneOfSeveral = ringsOf(desired).length > 1;
  return { kind: 'failed', message: isOneOfSeveral ? `${spec.interface}: ${message}` : message };
}

/** Returns the memory after that conclusion. */
export function afterCapture(
  memory: Memory,
  { spec, network }: ObservedCapture,
  conclusion: Conclusion,
  { forRevision, nowMs, delayMs }: Pick<EndOfStep, 'forRevision' | 'nowMs' | 'delayMs'>,
): Memory {
  switch (conclusion.kind) {
    case 'nothing':
      return memory;
    case 'sandboxGone':
      return { ...memory, goneSandbox: { sandboxId: network.sandboxId, untilMs: nowMs + sandboxEndMs } };
    case 'refused':
    case 'failed':
      return afterStep(
        memory,
        { key: startKey(spec), kind: 'start', forRevision, nowMs, delayMs },
        conclusion,
      );
  }
}

/**
 * Returns the memory without what is known of filters that are not desired any more, or that another policy or
 * annotation has set: a refusal names it.
 */
export function forgetFilters(memory: Memory, before: Desired, desired: Desired): Memory {
  const isSameSource = requestIn(before)?.policy === requestIn(desired)?.policy;
  const filters = (isSameSource ? ringsOf(desired) : []).flatMap(({ filter }) => filter ?? []);
  const keys = new Set(filters.map((filter) => keyOf({ kind: 'checkFilter', filter })));
  const outcomes = [...memory.outcomes].filter(([key]) => !key.startsWith('checkFilter ') || keys.has(key));
  return { ...memory, outcomes: new Map(outcomes) };
}
