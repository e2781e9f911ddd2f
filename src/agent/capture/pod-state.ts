import type { Network } from '../netns/cni-entry.ts';
import type {
  MissedBefore,
  NotFrozen,
  RecordingReport,
  StopReason,
} from '../observability/recording-report.ts';
import { type CaptureSpec, isSameTcpdump, type TcpdumpSpec } from '../planner/annotations.ts';
import type { DeleteReason } from '../planner/decisions.ts';
import type { FreezeCapacity } from '../planner/freeze-capacity.ts';
import type { Refusal } from '../planner/refusals.ts';
import type { FreezeCause, FreezeLog } from '../storage/freeze-records.ts';
import type { NotedMoments } from '../storage/freezes.ts';
import type { RingsSize } from '../storage/ring-size.ts';
import type { PodMoments } from './freeze-causes.ts';
import type { InterfaceCondition } from './interface-condition.ts';
import type { Ending } from './tcpdump.ts';

/**
 * The states of one Pod that the loop (pod-loop.ts) compares: what should run, and what does. All times are of
 * performance.now(), in milliseconds.
 */

/** One ring: what the tcpdump of one interface captures, and how much of it is kept. */
export type RingSpec = TcpdumpSpec & {
  /** How many capture files the ring keeps. */
  readonly files: number;
  /** The kernel's receive ring, in KiB. */
  readonly bufferKib: number;
};

/** What should run for one Pod. Each change of it has a new revision. */
export type Desired = { readonly revision: number } & DesiredState;

export type DesiredState =
  | OngoingState
  /** Nothing runs and the folder is deleted, once the API server confirms it; `meanwhile` holds until then. */
  | {
      readonly kind: 'erase';
      readonly why: DeleteReason;
      readonly keepsFrozen: boolean;
      readonly meanwhile: OngoingState;
    };

export type OngoingState =
  | { readonly kind: 'capture'; readonly request: CaptureSpec; readonly rings: readonly RingSpec[] }
  /** The Pod has ended: what runs ends with its network, or at `untilMs` at the latest. The files stay. */
  | {
      readonly kind: 'finish';
      readonly request: CaptureSpec | undefined;
      readonly rings: readonly RingSpec[];
      readonly untilMs: number;
    }
  /** Nothing runs. The files stay. */
  | { readonly kind: 'rest'; readonly why: RestReason };

/** A refusal is reported once nothing runs; the other reasons are not. */
export type RestReason =
  | { readonly kind: 'refused'; readonly refusal: Refusal }
  | { readonly kind: 'durationReached' }
  | { readonly kind: 'paused' }
  /** No policy selects the Pod any more: the files are kept for the retention time, as after its end. */
  | { readonly kind: 'notMatched' }
  | { readonly kind: 'agentStopped' }
  /** An earlier agent left the folder, and nothing is known of the Pod yet. */
  | { readonly kind: 'unknown' };

/** What runs for one Pod, and what is on disk: sampled each time, and never copied from what is desired. */
export type Observed = {
  readonly nowMs: number;
  readonly network: ObservedNetwork;
  /** How many more captures may start beside the ones that they replace: there is capacity for both. */
  readonly spareRings: number;
  /** In the order in which they started, with those that have ended and are not accounted for. */
  readonly captures: readonly ObservedCapture[];
  /** Undefined if there is none. */
  readonly folder: { readonly hasEndOfPod: boolean; readonly isOnlyFrozen: boolean } | undefined;
  /** From its opening until its end is reported. `formerSizes` were requested before, and are not measured yet. */
  readonly recording: { readonly formerSizes: readonly RingsSize[] } | undefined;
  /** The steps that have begun, by their key, and are not over. */
  readonly inFlight: ReadonlyMap<StepKey, Step>;
  readonly memory: Memory;
  readonly freeze: ObservedFreeze;
};

/** What is frozen of the Pod, and what could freeze it. */
export type ObservedFreeze = {
  /** Undefined before the Pod is known. */
  readonly pod: PodMoments | undefined;
  /** This agent has looked at the Pod before: what is new has just happened. */
  readonly isPodSeen: boolean;
  /** Its folder has files of captures from before this agent. */
  readonly hasEarlierCaptures: boolean;
  readonly bootId: string;
  /** What was taken into account so far; undefined if the Pod was never looked at. */
  readonly log: FreezeLog | undefined;
  /** The ring that is being frozen. */
  readonly ring: FreezingRing | undefined;
  /** When the newest ring was triggered; undefined if there is none, or if that was before this boot. */
  readonly lastMs: number | undefined;
  /** Undefined until it is known. */
  readonly capacity: FreezeCapacity | undefined;
};

/** A ring that is being frozen: that of all captures up to a generation. */
export type FreezingRing = { readonly number: number; readonly upTo: number; readonly sinceMs: number };

/** What the past says about the next steps (pod-memory.ts). */
export type Memory = {
  /** How the last step of each key ended, if that still counts. */
  readonly outcomes: ReadonlyMap<StepKey, Outcome>;
  /** The sandbox whose interface is gone: until then, the runtime may still be deleting the rest of it. */
  readonly goneSandbox: { readonly sandboxId: string; readonly untilMs: number } | undefined;
};

/** The Pod's network, and since when it is what it is. */
export type ObservedNetwork =
  | { readonly kind: 'found'; readonly network: Network; readonly sinceMs: number }
  /** `problem`: what was looked for, and where. */
  | { readonly kind: 'absent'; readonly problem: string; readonly sinceMs: number }
  | { readonly kind: 'unreadable'; readonly sinceMs: number };

/** One tcpdump. */
export type ObservedCapture = {
  /** Which start of tcpdump this is, counted over all agents. */
  readonly generation: number;
  readonly network: Network;
  /** What it captures; `files` is what its library has acknowledged, before it was told to keep all. */
  readonly spec: RingSpec;
  readonly phase: CapturePhase;
  /** When it started to capture; undefined before. */
  readonly listeningMs: number | undefined;
  /** Since when it has received nothing, to the last count; undefined before it captures. */
  readonly silentSinceMs: number | undefined;
  /** Its receive ring was full, or packets were dropped. */
  readonly isRingFull: boolean;
  /** What people are told of its start: that of the first capture, if only the receive ring has changed since. */
  readonly reported: { readonly generation: number; readonly missedBefore: MissedBefore };
  /** Another interface of that name was captured before. */
  readonly isOtherInterface: boolean;
  /** What has become of its interface. */
  readonly condition: InterfaceCondition;
  /** How many files it has started since it was told to keep all of them; undefined if it was not. */
  readonly filesSinceHeld: number | undefined;
};

export type CapturePhase =
  | { readonly kind: 'starting'; readonly sinceMs: number }
  | { readonly kind: 'listening' }
  | { readonly kind: 'stopping' }
  | { readonly kind: 'ended'; readonly ending: Ending };

/** How a step ended. Another step of the same key begins at `notBeforeMs` at the earliest. */
export type Outcome = { readonly forRevision: number; readonly atMs: number } & (
  | { readonly kind: 'done' }
  | { readonly kind: 'refused'; readonly refusal: Refusal; readonly notBeforeMs: number }
  | { readonly kind: 'failed'; readonly message: string; readonly notBeforeMs: number }
);

export type Step =
  /** Opens the recording: makes the Pod's folder if it does not exist. */
  | { readonly kind: 'open' }
  | { readonly kind: 'checkFilter'; readonly filter: string }
  /** Starts a tcpdump. It replaces those of its ring that run, when it listens. */
  | { readonly kind: 'start'; readonly spec: RingSpec; readonly network: Network }
  /**
   * Notes what is taken into account of the Pod from now on. `causes` are added to the ring that is being frozen;
   * `notFrozen` is what froze nothing.
   */
  | {
      readonly kind: 'noteFreeze';
      readonly log: NotedMoments;
      readonly causes: readonly FreezeCause[];
      readonly notFrozen?: NotFrozen;
    }
  /** Writes down that the ring is to be set aside. `replacesNewest`: there is no capacity for one more frozen ring. */
  | {
      readonly kind: 'beginFreeze';
      readonly causes: readonly FreezeCause[];
      readonly log: NotedMoments;
      readonly replacesNewest: boolean;
    }
  /** Sets aside the files of the ring that is being frozen, whose captures have ended. */
  | { readonly kind: 'setAside'; readonly number: number }
  /** Tells a tcpdump how many files it keeps; 0: all. */
  | { readonly kind: 'keep'; readonly generation: number; readonly files: number }
  | { readonly kind: 'stop'; readonly generation: number }
  /** Kills a tcpdump that does not start to capture, which is a failure. */
  | { readonly kind: 'giveUp'; readonly generation: number }
  /** Adds the counts of a capture that has ended to the recording's; the capture is no longer observed then. */
  | { readonly kind: 'account'; readonly generation: number }
  /** Measures the folder: what was written for former sizes is known then. */
  | { readonly kind: 'measure' }
  /** Measures the folder and reports the end of the recording. */
  | { readonly kind: 'close'; readonly why: StopReason }
  | { readonly kind: 'markEnded' }
  /** The Pod has not ended: an outdated list had left it out. */
  | { readonly kind: 'unmarkEnded' }
  | { readonly kind: 'askWhetherToErase'; readonly why: DeleteReason }
  /** Deletes the folder, or what it has beside frozen rings. */
  | { readonly kind: 'erase'; readonly why: DeleteReason; readonly keepsFrozen: boolean }
  /** Ends a step that is no longer wanted. */
  | { readonly kind: 'cancel'; readonly key: StepKey };

/** How a step ended. `retryMs`: a refusal that may no longer apply after that time. */
export type StepResult =
  | { readonly kind: 'done' }
  | { readonly kind: 'refused'; readonly refusal: Refusal; readonly retryMs: number }
  | { readonly kind: 'failed'; readonly message: string };

/** Identifies a step among those in flight: of one key, one step at a time. */
export type StepKey = string;

export function keyOf(step: Step): StepKey {
  switch (step.kind) {
    case 'checkFilter':
      return `checkFilter ${step.filter}`;
    case 'start':
      return startKey(step.spec);
    case 'keep':
      return `${step.kind} ${step.generation} ${step.files}`;
    case 'stop':
    case 'account':
    case 'giveUp':
      return `${step.kind} ${step.generation}`;
    case 'cancel':
      return `${step.kind} ${step.key}`;
    // One of the two at a time. One that fails does not keep a ring from being set aside.
    case 'noteFreeze':
    case 'beginFreeze':
      return freezeKey;
    case 'setAside':
    case 'open':
    case 'measure':
    case 'close':
    case 'markEnded':
    case 'unmarkEnded':
    case 'askWhetherToErase':
    case 'erase':
      return step.kind;
  }
}

/** Of the steps that change what is frozen. */
export const freezeKey: StepKey = 'freeze';

export function filterKey(filter: string): StepKey {
  return keyOf({ kind: 'checkFilter', filter });
}

/** An interface has one start at a time. */
export function startKey({ interface: name }: Pick<RingSpec, 'interface'>): StepKey {
  return `start ${name}`;
}

/** What to do now, when to look again at the latest, and what to report about the Pod's capture. */
export type NextSteps = {
  readonly steps: readonly Step[];
  readonly wakeAtMs: number | undefined;
  /** Undefined while nothing new can be said. */
  readonly report: LastingReport | undefined;
};

/** What stays so until something else is reported. */
export type LastingReport = Exclude<
  RecordingReport,
  { kind: 'stopped' | 'warning' | 'frozen' | 'notFrozen' }
>;

/** What is captured, or was until it is erased. */
export function ringsOf(state: DesiredState): readonly RingSpec[] {
  switch (state.kind) {
    case 'capture':
    case 'finish':
      return state.rings;
    case 'rest':
      return [];
    case 'erase':
      return ringsOf(state.meanwhile);
  }
}

/** What was requested of that; undefined if nothing is captured. */
export function requestIn(state: DesiredState): CaptureSpec | undefined {
  switch (state.kind) {
    case 'capture':
    case 'finish':
      return state.request;
    case 'rest':
      return undefined;
    case 'erase':
      return requestIn(state.meanwhile);
  }
}

/** Whether the Pod has no network any more, or another one. A network that cannot be read is not lost. */
export function hasLostNetwork(capture: Pick<ObservedCapture, 'network'>, network: ObservedNetwork): boolean {
  if (network.kind !== 'found') return network.kind === 'absent';
  return network.network.sandboxId !== capture.network.sandboxId;
}

/** Whether both need the same tcpdump, and the same receive ring. */
export function isSameCapture(a: RingSpec, b: RingSpec): boolean {
  return isSameTcpdump(a, b) && a.bufferKib === b.bufferKib;
}

/** Those whose tcpdump has not ended. */
export function alive({ captures }: Observed): ObservedCapture[] {
  return captures.filter(({ phase }) => phase.kind !== 'ended');
}

/** Whether a step of that kind is in flight. */
export function isInFlight({ inFlight }: Observed, kind: Step['kind']): boolean {
  return [...inFlight.values()].some((step) => step.kind === kind);
}

/** Those that are not about to end either. */
export function isRunning({ phase }: ObservedCapture): boolean {
  return phase.kind === 'starting' || phase.kind === 'listening';
}

/** Those that capture packets, and are not about to end. */
export function isListening({ phase }: ObservedCapture): boolean {
  return phase.kind === 'listening';
}

/** Whether a step is in flight that opens or deletes the folder, or says what is in it: one at a time. */
export function isFolderBusy(observed: Observed): boolean {
  return (['open', 'close', 'markEnded', 'unmarkEnded', 'erase'] as const).some((kind) =>
    isInFlight(observed, kind),
  );
}

/**
 * Whether captures that run may still write more than these rings allow, for a size that was requested before. A tcpdump
 * whose file size is still right keeps running, and deletes its files beyond N.
 */
export function isStillWritten(
  former: RingsSize,
  rings: readonly Pick<RingSpec, 'interface' | 'fileMegabytes'>[],
  captures: readonly Pick<ObservedCapture, 'spec'>[],
): boolean {
  const { fileMegabytes } = former;
  const isSameSize = rings.some((ring) => ring.fileMegabytes === fileMegabytes);
  const isOther = ({ spec }: Pick<ObservedCapture, 'spec'>) =>
    !rings.some((ring) => ring.interface === spec.interface);
  return (
    (!isSameSize && captures.some(({ spec }) => spec.fileMegabytes === fileMegabytes)) ||
    (former.rings > rings.length && captures.some(isOther))
  );
}
