import type { Network } from '../netns/cni-entry.ts';
import type { StopReason } from '../observability/capture-status.ts';
import type { CaptureSpec } from '../planner/annotations.ts';

/** The desired state of a recording. All times in this file are of performance.now(). */
export type RecordingGoal =
  | { readonly kind: 'record' }
  /** It ends with the Pod's network, or at `untilMs` at the latest. */
  | { readonly kind: 'endWithPod'; readonly untilMs: number }
  | { readonly kind: 'stop'; readonly why: StopReason };

/** Everything that the next step depends on. */
export type RecordingObservation = {
  readonly goal: RecordingGoal;
  readonly spec: CaptureSpec;
  /** The Pod's network, if it has one. */
  readonly network: Network | undefined;
  /** The newest capture. */
  readonly current: RunningCapture | undefined;
  /** The newest capture takes over from another one, which still runs. */
  readonly isReplacing: boolean;
  /** Since when the newest capture's network is no longer the Pod's. */
  readonly networkLostMs: number | undefined;
  /** The sandbox whose interface was deleted: until then, the runtime may still be deleting the rest of it. */
  readonly goneSandbox: { readonly sandboxId: string; readonly untilMs: number } | undefined;
  /** No capture starts before: the backoff after a failure; infinite if only another request can help. */
  readonly notBeforeMs: number;
};

export type RunningCapture = {
  readonly spec: CaptureSpec;
  readonly network: Network;
  /** When it started to capture; undefined before. */
  readonly listeningMs: number | undefined;
  /** Another interface has the name of its interface by now. */
  readonly isSuperseded: boolean;
};

export type CaptureStep =
  /** The recording is over: stop what runs, and nothing else. */
  | { readonly kind: 'end' }
  | { readonly kind: 'stop'; readonly which: 'all' | 'replaced' }
  | { readonly kind: 'start'; readonly network: Network }
  /** Wait for a change, for at most `ms`; `forNetwork` if there is nothing to capture yet. */
  | { readonly kind: 'wait'; readonly ms: number | undefined; readonly forNetwork: boolean };

/** How long tcpdump may take to notice that its interface is gone, and a runtime to delete the rest of the sandbox. */
export const networkEndMs = 1_000;
/** When one capture replaces another, both capture for this long: both have what passes at the change. */
const overlapMs = 300;
/** A change of the network wakes the recorder; this is for a network that could not be read. */
const networkRetryMs = 5_000;

/** Returns what to do next. Pure: depends on the whole observation, and is asked after each step and each change. */
export function nextStep(observation: RecordingObservation, nowMs: number): CaptureStep {
  const { goal } = observation;
  const step = dueStep(observation, nowMs);
  if (step.kind !== 'wait' || goal.kind !== 'endWithPod') return step;
  return { ...step, ms: Math.min(step.ms ?? Number.POSITIVE_INFINITY, goal.untilMs - nowMs) };
}

function dueStep(observation: RecordingObservation, nowMs: number): CaptureStep {
  const { spec, network, current, isReplacing } = observation;
  if (isOver(observation, nowMs)) return { kind: 'end' };
  if (current && hasLostNetwork(current, network)) {
    // tcpdump ends by itself when its interface is deleted; one that does not is stopped.
    const lostMs = observation.networkLostMs ?? nowMs;
    return waitUntil(lostMs + networkEndMs, nowMs) ?? { kind: 'stop', which: 'all' };
  }
  if (!network) return { kind: 'wait', ms: networkRetryMs, forNetwork: true };
  if (current && isReplacing) return takeOver(current, nowMs);
  if (current && isSameCapture(current.spec, spec) && !current.isSuperseded) return waitForChange;
  return waitUntil(earliestStartMs(observation, network), nowMs) ?? { kind: 'start', network };
}

/** Whether the Pod has no network any more, or another one. */
export function hasLostNetwork(
  current: Pick<RunningCapture, 'network'>,
  network: Network | undefined,
): boolean {
  return current.network.sandboxId !== network?.sandboxId;
}

/** Whether both need the same tcpdump: it can change the number of files, and the planner handles the duration. */
export function isSameCapture(a: CaptureSpec, b: CaptureSpec): boolean {
  return (
    a.interface === b.interface &&
    a.filter === b.filter &&
    a.snaplen === b.snaplen &&
    a.fileMegabytes === b.fileMegabytes
  );
}

function isOver({ goal, current, network, goneSandbox }: RecordingObservation, nowMs: number): boolean {
  switch (goal.kind) {
    case 'record':
      return false;
    case 'stop':
      return true;
    case 'endWithPod':
      return (
        nowMs >= goal.untilMs || (!current && (!network || network.sandboxId === goneSandbox?.sandboxId))
      );
  }
}

/** The replaced capture runs until the new one has captured for a moment. */
function takeOver({ listeningMs }: RunningCapture, nowMs: number): CaptureStep {
  if (listeningMs === undefined) return waitForChange;
  return waitUntil(listeningMs + overlapMs, nowMs) ?? { kind: 'stop', which: 'replaced' };
}

function earliestStartMs({ goneSandbox, notBeforeMs }: RecordingObservation, network: Network): number {
  return network.sandboxId === goneSandbox?.sandboxId
    ? Math.max(notBeforeMs, goneSandbox.untilMs)
    : notBeforeMs;
}

const waitForChange: CaptureStep = { kind: 'wait', ms: undefined, forNetwork: false };

/** Undefined if that time is over. */
function waitUntil(thenMs: number, nowMs: number): CaptureStep | undefined {
  if (thenMs <= nowMs) return undefined;
  return Number.isFinite(thenMs) ? { kind: 'wait', ms: thenMs - nowMs, forNetwork: false } : waitForChange;
}
