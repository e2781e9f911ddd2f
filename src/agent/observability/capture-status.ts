import type { CaptureSpec } from '../planner/annotations.ts';
import type { DeleteReason } from '../planner/plan.ts';
import type { Refusal } from '../planner/refusals.ts';
import type { PodName } from '../storage/capture-folders.ts';
import { addTotals, noTotals, type Totals } from '../storage/capture-records.ts';

/**
 * The state of each Pod's capture, in memory. The recorders (capture/) write it; Events, log lines, metrics and
 * readiness are made from it.
 */
export type CaptureStatuses = {
  /** Something happened to that Pod's capture. A status that equals the one before is not reported again. */
  readonly report: (pod: PodName, status: CaptureStatus) => void;
  /** What that Pod's recorder has counted so far. */
  readonly count: (pod: PodName, counted: Counted) => void;
  /** Nothing of that UID is left. */
  readonly forget: (uid: string) => void;
  readonly of: (uid: string) => CaptureStatus | undefined;
  readonly all: () => readonly KnownStatus[];
  /** The sum over every capture that this agent ran, including those that have ended. */
  readonly totals: () => Totals;
  /** Over every capture that this agent ran. */
  readonly counts: () => { readonly starts: number; readonly failures: number };
  /** Reports every problem that persists again: the API server deletes Events after an hour. */
  readonly renew: () => void;
};

/** What last happened to a Pod's capture. */
export type CaptureStatus = RecorderReport | { readonly kind: 'deleted'; readonly why: DeleteReason };

/**
 * Why a recording ended, as capture/ decides it. Its files are deleted if the annotation was removed, and kept
 * otherwise.
 */
export type StopReason = 'PodEnded' | 'AnnotationRemoved' | 'DurationReached' | 'Refused' | 'AgentStopped';

/** What a recorder (capture/recorder.ts) reports, in the order in which it happens. */
export type RecorderReport =
  | { readonly kind: 'waiting' }
  | {
      readonly kind: 'capturing';
      /** Which start of tcpdump this is, counted over all agents. */
      readonly generation: number;
      readonly spec: CaptureSpec;
      /** Packets that passed the interface before and are in no file; undefined while that is not known. */
      readonly missedBefore: number | undefined;
      /** Another interface of that name was captured before: this one has taken its place. */
      readonly isOtherInterface?: true;
    }
  /** tcpdump keeps running, but no packets pass. */
  | { readonly kind: 'interfaceDown'; readonly generation: number; readonly interface: string }
  /** tcpdump keeps capturing the interface, whose name is `name` by now; no other has taken its name. */
  | {
      readonly kind: 'interfaceRenamed';
      readonly generation: number;
      readonly interface: string;
      readonly name: string;
    }
  | { readonly kind: 'failed'; readonly message: string }
  | { readonly kind: 'refused'; readonly refusal: Refusal }
  | { readonly kind: 'stopped'; readonly why: StopReason; readonly totals: Totals };

/** A capture is stalled if packets pass and it writes none, or if its tcpdump does not answer. */
export type Counted = { readonly totals: Totals; readonly isStalled: boolean };

export type KnownStatus = Counted & { readonly pod: PodName; readonly status: CaptureStatus };

/** Called for each change, in order. */
export type StatusListener = (pod: PodName, status: CaptureStatus) => void;

/** Starts empty: a restarted agent knows nothing of the captures before. */
export function captureStatuses(listeners: readonly StatusListener[]): CaptureStatuses {
  const known = new Map<string, KnownStatus>();
  const counts = { starts: 0, failures: 0 };
  let ended = noTotals;

  const notify = ({ pod, status }: KnownStatus) => {
    for (const listener of listeners) listener(pod, status);
  };

  return {
    report(pod, status) {
      const before = known.get(pod.uid);
      if (status.kind === 'capturing' && !hasContinued(before?.status, status.generation)) counts.starts += 1;
      if (status.kind === 'failed') counts.failures += 1;
      if (before && isSameStatus(before.status, status)) return;
      // The recorder counts no more: what it counted moves to the agent's own sum.
      if (status.kind === 'stopped') ended = addTotals(ended, status.totals);
      const { totals, isStalled } = status.kind === 'stopped' || !before ? nothingCounted : before;
      const after = { pod, status, totals, isStalled };
      known.set(pod.uid, after);
      notify(after);
    },
    count(pod, counted) {
      const status = known.get(pod.uid)?.status ?? { kind: 'waiting' };
      known.set(pod.uid, { pod, status, ...counted });
    },
    forget: (uid) => known.delete(uid),
    of: (uid) => known.get(uid)?.status,
    all: () => [...known.values()],
    totals: () => [...known.values()].reduce((sum, { totals }) => addTotals(sum, totals), ended),
    counts: () => counts,
    renew() {
      for (const each of known.values()) if (isProblem(each.status)) notify(each);
    },
  };
}

/** The interface is up again, or has its name again: no other start of tcpdump. */
function hasContinued(before: CaptureStatus | undefined, generation: number): boolean {
  const isInterface = before?.kind === 'interfaceDown' || before?.kind === 'interfaceRenamed';
  return isInterface && before.generation === generation;
}

const nothingCounted: Counted = { totals: noTotals, isStalled: false };

/** What people must still be able to see an hour later. */
function isProblem({ kind }: CaptureStatus): boolean {
  return ['refused', 'failed', 'interfaceDown', 'interfaceRenamed'].includes(kind);
}

function isSameStatus(a: CaptureStatus, b: CaptureStatus): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
