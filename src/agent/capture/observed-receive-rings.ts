import type { RunningReceiveRing } from '../planner/pod-receive-rings.ts';
import { alive, type Observed, type ObservedCapture, type RingSpec } from './pod-state.ts';

/**
 * The receive ring of each interface of which a tcpdump runs: that of the newest one, from the moment its start is decided.
 * Pure. `nowMs` is the same moment as that of what is observed, by the clock of the plan.
 */
export function observedReceiveRings(
  observed: Observed,
  { nowMs }: { readonly nowMs: number },
): RunningReceiveRing[] {
  const running = alive(observed);
  const starting = [...observed.inFlight.values()].flatMap((step) =>
    step.kind === 'start' ? [step.spec] : [],
  );
  const names = new Set([...running.map(({ spec }) => spec), ...starting].map((spec) => spec.interface));
  const sinceMs = nowMs - observed.nowMs;
  return [...names].flatMap((name) => {
    const ofInterface = running.filter(({ spec }) => spec.interface === name);
    const start = starting.find((spec) => spec.interface === name);
    if (start) return [startingRing(start, ofInterface)];
    const newest = ofInterface.at(-1);
    return newest ? [runningRing(newest, ofInterface.slice(0, -1), sinceMs)] : [];
  });
}

function startingRing(spec: RingSpec, replaced: readonly ObservedCapture[]): RunningReceiveRing {
  const replacedKib = sumKib(replaced);
  return { spec, kib: spec.bufferKib, replacedKib, silentSinceMs: undefined, isFull: false };
}

function runningRing(
  { spec, isRingFull: isFull, silentSinceMs }: ObservedCapture,
  replaced: readonly ObservedCapture[],
  sinceMs: number,
): RunningReceiveRing {
  return {
    spec,
    kib: spec.bufferKib,
    replacedKib: sumKib(replaced),
    silentSinceMs: silentSinceMs === undefined ? undefined : silentSinceMs + sinceMs,
    isFull,
  };
}

function sumKib(captures: readonly ObservedCapture[]): number {
  return captures.reduce((sum, { spec }) => sum + spec.bufferKib, 0);
}
