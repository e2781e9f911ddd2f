import { reportOfCaptures } from './capture-report.ts';
import { freezeSteps, withoutHeld } from './freeze-steps.ts';
import { type Goal, goalOf, isLeft, mayErase } from './goal.ts';
import {
  alive,
  type Desired,
  freezeKey,
  hasLostNetwork,
  isFolderBusy,
  isInFlight,
  isListening,
  isStillWritten,
  keyOf,
  type NextSteps,
  type Observed,
  type RingSpec,
  requestIn,
  type Step,
} from './pod-state.ts';
import { startsIn } from './ring-captures.ts';
import { otherInterfaceSteps, ringsSteps, stopStep } from './ring-steps.ts';
import { notBefore, now, type Wanted } from './wanted-steps.ts';

/** How long tcpdump may take to notice that its interface is gone. */
const networkEndMs = 1_000;
/** A Pod gets its network within seconds; after this time, people are told what is missing. */
const networkDueMs = 60_000;
/** A change of the network wakes the loop; this is for a network that could not be read. */
const networkRetryMs = 5_000;
/** A tcpdump starts within milliseconds; the rest is for an overloaded machine. */
const startWithinMs = 60_000;

/**
 * Returns what to do for one Pod, from what is desired and what is observed. Pure. The loop asks again whenever
 * something has changed, and at `wakeAtMs`; it does not wait for a step. A step that cannot begin yet, because one of
 * its key is in flight or has just failed, is not returned.
 */
export function nextSteps(desired: Desired, observed: Observed): NextSteps {
  const ended = accountSteps(observed);
  // What the next steps are depends on why it ended.
  if (ended.length > 0) return { steps: ended, wakeAtMs: observed.nowMs, report: undefined };
  const goal = goalOf(desired, observed);
  const freezing = freezeSteps(goal, requestIn(desired), observed);
  const wanted = [
    ...eraseSteps(desired, observed),
    ...freezing,
    ...(goal.kind === 'run'
      ? runSteps(goal, desired, observed)
      : stopSteps(goal, isFreezeDue(freezing, desired, observed), observed)),
    ...measureSteps(goal.kind === 'run' ? goal.rings : [], observed),
  ];
  const due = wanted.map((each) => notBefore(each, desired, observed));
  const steps = due.flatMap(({ step, atMs }) => (atMs <= observed.nowMs && step ? [step] : []));
  // There may be two reasons to stop a capture.
  const byKey = new Map(steps.map((step) => [keyOf(step), step]));
  return {
    steps: [...byKey.values(), ...cancelSteps(goal, observed)],
    wakeAtMs: earliest(
      due.map(({ atMs }) => atMs),
      observed.nowMs,
    ),
    report: reportOf(goal, desired, observed),
  };
}

/** Whether a step of freezing is in flight or is to begin now. */
function isFreezeDue(steps: readonly Wanted[], desired: Desired, observed: Observed): boolean {
  if (observed.inFlight.has(freezeKey) || isInFlight(observed, 'setAside')) return true;
  return steps.some((each) => notBefore(each, desired, observed).atMs <= observed.nowMs);
}

function accountSteps({ captures }: Observed): Step[] {
  return captures.flatMap(({ generation, phase }) =>
    phase.kind === 'ended' ? [{ kind: 'account', generation }] : [],
  );
}

/** Ensures that the API server is asked about each deletion, while anything is left to be deleted. */
function eraseSteps(desired: Desired, observed: Observed): Wanted[] {
  if (desired.kind !== 'erase' || !isLeft(observed) || mayErase(desired, observed)) return [];
  // It may be erased already, for an earlier revision.
  if (isInFlight(observed, 'erase')) return [];
  return [now({ kind: 'askWhetherToErase', why: desired.why })];
}

/** Ensures that each ring is captured in the Pod's network (ring-steps.ts), and what that needs. */
function runSteps(
  { rings, refused, untilMs }: Goal & { readonly kind: 'run' },
  desired: Desired,
  observed: Observed,
): Wanted[] {
  const { network, recording } = observed;
  const isBusy = isFolderBusy(observed);
  return [
    ...(recording || isBusy ? [] : [now({ kind: 'open' })]),
    ...filtersOf(rings).map((filter) => now({ kind: 'checkFilter', filter })),
    ...lostSteps(observed),
    ...stuckSteps(observed),
    ...otherInterfaceSteps(rings, withoutHeld(observed)),
    ...(network.kind === 'found'
      ? ringsSteps({ rings, network: network.network }, desired, withoutHeld(observed))
      : [{ atMs: observed.nowMs + networkRetryMs }, { atMs: network.sinceMs + networkDueMs }]),
    ...refused.map((each) => ({ atMs: each.untilMs })),
    ...(untilMs === undefined ? [] : [{ atMs: untilMs }]),
  ];
}

function filtersOf(rings: readonly RingSpec[]): string[] {
  return [...new Set(rings.flatMap(({ filter }) => filter ?? []))];
}

/** tcpdump ends by itself when its interface is deleted; one that does not is stopped. */
function lostSteps(observed: Observed): Wanted[] {
  const { network } = observed;
  return alive(observed).flatMap((capture) =>
    hasLostNetwork(capture, network) && capture.phase.kind !== 'stopping'
      ? [{ step: stopStep(capture), atMs: network.sinceMs + networkEndMs }]
      : [],
  );
}

function stuckSteps(observed: Observed): Wanted[] {
  return alive(observed).flatMap(({ generation, phase }) =>
    phase.kind === 'starting'
      ? [{ step: { kind: 'giveUp', generation }, atMs: phase.sinceMs + startWithinMs } as const]
      : [],
  );
}

/** Ensures that nothing runs, then that the recording is closed, and then what follows from the goal. */
function stopSteps(
  { why, after }: Goal & { readonly kind: 'stop' },
  isFreezing: boolean,
  observed: Observed,
): Wanted[] {
  if (observed.captures.length > 0) {
    return alive(observed).flatMap((capture) =>
      capture.phase.kind === 'stopping' ? [] : [now(stopStep(capture))],
    );
  }
  if (isInFlight(observed, 'start') || isFolderBusy(observed) || isFreezing) return [];
  if (observed.recording) return [now({ kind: 'close', why })];
  switch (after.kind) {
    case 'nothing':
      return [];
    case 'report':
      return [...unmarkSteps(observed), ...(Number.isFinite(after.untilMs) ? [{ atMs: after.untilMs }] : [])];
    case 'markEnded':
      return observed.folder?.hasEndOfPod === false ? [now({ kind: 'markEnded' })] : [];
    case 'unmarkEnded':
      return unmarkSteps(observed);
    case 'erase':
      return isErased(after.step, observed) ? [] : [now(after.step)];
  }
}

function isErased(step: Step, { folder }: Observed): boolean {
  return folder === undefined || (step.kind === 'erase' && step.keepsFrozen && folder.isOnlyFrozen);
}

/** A Pod that is only not captured has not ended: its files stay as long after its end as those of others. */
function unmarkSteps({ folder }: Observed): Wanted[] {
  return folder?.hasEndOfPod === true ? [now({ kind: 'unmarkEnded' })] : [];
}

/** Ensures that former sizes are measured, once no tcpdump writes files of them any more. */
function measureSteps(rings: readonly RingSpec[], observed: Observed): Wanted[] {
  const { formerSizes = [] } = observed.recording ?? {};
  const written = [...alive(observed), ...startsIn(observed).map((spec) => ({ spec }))];
  return formerSizes.some((size) => !isStillWritten(size, rings, written)) ? [now({ kind: 'measure' })] : [];
}

/** Only the check of a filter can take long. */
function cancelSteps(goal: Goal, { inFlight }: Observed): Step[] {
  const filters = goal.kind === 'run' ? filtersOf(goal.rings) : [];
  return [...inFlight].flatMap(([key, step]) =>
    step.kind === 'checkFilter' && !filters.includes(step.filter) ? [{ kind: 'cancel', key }] : [],
  );
}

function earliest(times: readonly number[], nowMs: number): number | undefined {
  const next = Math.min(...times.filter((atMs) => atMs > nowMs));
  return Number.isFinite(next) ? next : undefined;
}

function reportOf(goal: Goal, desired: Desired, observed: Observed): NextSteps['report'] {
  if (goal.kind === 'stop') {
    if (goal.why === 'Paused' && !observed.recording) return { kind: 'paused' };
    const isReported = goal.after.kind === 'report' && !observed.recording;
    return isReported ? { kind: 'refused', refusal: goal.after.refusal } : undefined;
  }
  if (observed.captures.some(isListening))
    return reportOfCaptures(goal, observed.captures, requestIn(desired));
  const { network, nowMs } = observed;
  if (network.kind !== 'absent' || alive(observed).length > 0) return undefined;
  const isOverdue = nowMs - network.sinceMs >= networkDueMs;
  return isOverdue ? { kind: 'waiting', problem: network.problem } : { kind: 'waiting' };
}
