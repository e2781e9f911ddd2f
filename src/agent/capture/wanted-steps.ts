import { type Desired, keyOf, type Observed, type Step } from './pod-state.ts';

/** A step that is wanted, or only a time at which to look again. */
export type Wanted = { readonly step?: Step; readonly atMs: number };

/** That step is wanted at once. */
export const now = (step: Step): Wanted => ({ step, atMs: 0 });

/** Delays a step after a failure, and withholds it while one of its key is in flight, or has already succeeded. */
export function notBefore(
  { step, atMs }: Wanted,
  { revision }: Pick<Desired, 'revision'>,
  observed: Observed,
): Wanted {
  if (!step) return { atMs };
  const key = keyOf(step);
  const outcome = observed.memory.outcomes.get(key);
  const isOver = step.kind === 'checkFilter' && (outcome?.kind === 'done' || outcome?.kind === 'refused');
  if (observed.inFlight.has(key) || isOver) return { step, atMs: Number.POSITIVE_INFINITY };
  const binds = outcome && outcome.kind !== 'done' && outcome.forRevision === revision;
  return { step, atMs: binds ? Math.max(atMs, outcome.notBeforeMs) : atMs };
}
