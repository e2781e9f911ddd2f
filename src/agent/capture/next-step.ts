import type { Network } from '../netns/cni-entry.ts';
import type { StopReason } from '../observability/capture-status.ts';
import type { CaptureSpec } from '../planner/annotations.ts';

/** What is wanted of a recording now. All times here are of performance.now(). */
export type RecordingGoal =
  | { readonly kind: 'record' }
  /** It ends with the Pod's network, and then at the latest. */
  | { readonly kind: 'endWithPod'; readonly untilMs: number }
  | { readonly kind: 'stop'; readonly why: StopReason };

/** All that the next step is decided by. */
export type RecordingObservation = {
  readonly goal: RecordingGoal;
  readonly spec: CaptureSpec;
  /** The Pod's network, if it has one. */
  readonly network: Network | undefined;
  /** The newest capture. */
  readonly current: RunningCapture | undefined;
  /** It takes over from another one, which runs still. */
  readonly replaces: boolean;
  /** Since when the current capture's network is not the Pod's any more. */
  readonly networkGoneMs: number | undefined;
  /** The sandbox whose interface went; the runtime is still taking it down until then. */
  readonly gone: { readonly sandboxId: string; readonly untilMs: number } | undefined;
  /** Failed work comes again then; what only another request can mend, never. */
  readonly notBeforeMs: number;
};

export type RunningCapture = {
  readonly spec: CaptureSpec;
  readonly network: Network;
  /** When it began to capture; undefined before. */
  readonly listeningMs: number | undefined;
};

export type CaptureStep =
  /** Nothing more is to be recorded: what runs is stopped, and that is all. */
  | { readonly kind: 'end' }
  | { readonly kind: 'stop'; readonly which: 'all' | 'replaced' }
  | { readonly kind: 'begin'; readonly network: Network }
  /** For a change, or for so long; `forNetwork` when there is nothing to capture yet. */
  | { readonly kind: 'wait'; readonly ms: number | undefined; readonly forNetwork: boolean };

/** How long tcpdump may take to notice that its interface is gone, and a runtime to clean up after it. */
export const networkEndMs = 1_000;
/** When one capture replaces the other both hear for so long: both have what passed at the change. */
const overlapMs = 300;
/** A change of the network is told; this is for one that could not be read. */
const networkRetryMs = 5_000;

/** Pure: looks at everything at once, and is asked again after each step and at each change. */
export function nextStep(situation: RecordingObservation, nowMs: number): CaptureStep {
  const { goal } = situation;
  const step = dueStep(situation, nowMs);
  if (step.kind !== 'wait' || goal.kind !== 'endWithPod') return step;
  return { ...step, ms: Math.min(step.ms ?? Number.POSITIVE_INFINITY, goal.untilMs - nowMs) };
}

function dueStep(situation: RecordingObservation, nowMs: number): CaptureStep {
  const { spec, network, current, replaces } = situation;
  if (isOver(situation, nowMs)) return { kind: 'end' };
  if (current && hasLostNetwork(current, network)) {
    // tcpdump sees by itself that its interface went; what does not, is told.
    const goneMs = situation.networkGoneMs ?? nowMs;
    return waitUntil(goneMs + networkEndMs, nowMs) ?? { kind: 'stop', which: 'all' };
  }
  if (!network) return { kind: 'wait', ms: networkRetryMs, forNetwork: true };
  if (current && replaces) return handOver(current, nowMs);
  if (current && isSameCapture(current.spec, spec)) return forAChange;
  return waitUntil(beginMs(situation, network), nowMs) ?? { kind: 'begin', network };
}

export function hasLostNetwork(
  current: Pick<RunningCapture, 'network'>,
  network: Network | undefined,
): boolean {
  return current.network.sandboxId !== network?.sandboxId;
}

/** Whether tcpdump would run alike: another number of files is the ring's affair, a duration the plan's. */
export function isSameCapture(a: CaptureSpec, b: CaptureSpec): boolean {
  return (
    a.interface === b.interface &&
    a.filter === b.filter &&
    a.snaplen === b.snaplen &&
    a.fileMegabytes === b.fileMegabytes
  );
}

function isOver({ goal, current, network, gone }: RecordingObservation, nowMs: number): boolean {
  switch (goal.kind) {
    case 'record':
      return false;
    case 'stop':
      return true;
    case 'endWithPod':
      return nowMs >= goal.untilMs || (!current && (!network || network.sandboxId === gone?.sandboxId));
  }
}

/** The one before goes on until the new one has captured for a moment. */
function handOver({ listeningMs }: RunningCapture, nowMs: number): CaptureStep {
  if (listeningMs === undefined) return forAChange;
  return waitUntil(listeningMs + overlapMs, nowMs) ?? { kind: 'stop', which: 'replaced' };
}

function beginMs({ gone, notBeforeMs }: RecordingObservation, network: Network): number {
  return network.sandboxId === gone?.sandboxId ? Math.max(notBeforeMs, gone.untilMs) : notBeforeMs;
}

const forAChange: CaptureStep = { kind: 'wait', ms: undefined, forNetwork: false };

/** Undefined when that time has come. */
function waitUntil(thenMs: number, nowMs: number): CaptureStep | undefined {
  if (thenMs <= nowMs) return undefined;
  return Number.isFinite(thenMs) ? { kind: 'wait', ms: thenMs - nowMs, forNetwork: false } : forAChange;
}
