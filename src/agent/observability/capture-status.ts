import type { CaptureSpec } from '../planner/annotations.ts';
import type { DeleteReason } from '../planner/plan.ts';
import type { Refusal } from '../planner/refusals.ts';
import type { PodName } from '../storage/capture-folders.ts';
import { addTotals, noTotals, type Totals } from '../storage/capture-records.ts';

/** What is known of every Pod that has something to do with captures. */
export type CaptureStatuses = {
  /** Something happened to that Pod's capture; the same again is no news. */
  readonly report: (pod: PodName, status: CaptureStatus) => void;
  /** What the recording of that Pod has counted so far, by this agent, and whether packets pass it by. */
  readonly count: (pod: PodName, counted: Counted) => void;
  /** Nothing of that UID is left. */
  readonly forget: (uid: string) => void;
  readonly of: (uid: string) => CaptureStatus | undefined;
  readonly all: () => readonly KnownStatus[];
  /** Of every capture that this agent ran, those that have ended as well. */
  readonly totals: () => Totals;
  /** Of every capture that this agent ran. */
  readonly counts: () => { readonly starts: number; readonly failures: number };
  /** Tells what still holds again: Events go after an hour. */
  readonly renew: () => void;
};

/** One value per UID: the newest that happened. */
export type CaptureStatus = RecorderReport | { readonly kind: 'deleted'; readonly why: DeleteReason };

/** Why a recording ended; in each case but a removed annotation its files are kept. */
export type StopReason = 'PodEnded' | 'AnnotationRemoved' | 'DurationReached' | 'Refused' | 'AgentStopped';

/** What a recording tells of itself, in the order in which it happens. */
export type RecorderReport =
  | { readonly kind: 'waiting' }
  | {
      readonly kind: 'capturing';
      /** Which start of tcpdump this is, counted over all agents. */
      readonly generation: number;
      readonly spec: CaptureSpec;
      /** Packets that the interface carried before and that are in no file; undefined where it is not known yet. */
      readonly missedBefore: number | undefined;
    }
  /** It goes on, and nothing passes. */
  | { readonly kind: 'interfaceDown'; readonly generation: number; readonly interface: string }
  | { readonly kind: 'failed'; readonly message: string }
  | { readonly kind: 'refused'; readonly refusal: Refusal }
  | { readonly kind: 'stopped'; readonly why: StopReason; readonly totals: Totals };

export type Counted = { readonly totals: Totals; readonly isStalled: boolean };

export type KnownStatus = Counted & { readonly pod: PodName; readonly status: CaptureStatus };

/** Told of each change, in order. */
export type StatusListener = (pod: PodName, status: CaptureStatus) => void;

export function captureStatuses(listeners: readonly StatusListener[]): CaptureStatuses {
  const known = new Map<string, KnownStatus>();
  const counts = { starts: 0, failures: 0 };
  let ended = noTotals;

  const tell = ({ pod, status }: KnownStatus) => {
    for (const listener of listeners) listener(pod, status);
  };

  return {
    report(pod, status) {
      const before = known.get(pod.uid);
      if (status.kind === 'capturing' && !isUpAgain(before?.status, status.generation)) counts.starts += 1;
      if (status.kind === 'failed') counts.failures += 1;
      if (before && isSameStatus(before.status, status)) return;
      // From here on the recording's own count is over: what it counted belongs to the agent.
      if (status.kind === 'stopped') ended = addTotals(ended, status.totals);
      const { totals, isStalled } = status.kind === 'stopped' || !before ? nothingCounted : before;
      const after = { pod, status, totals, isStalled };
      known.set(pod.uid, after);
      tell(after);
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
      for (const each of known.values()) if (isRenewed(each.status)) tell(each);
    },
  };
}

function isUpAgain(before: CaptureStatus | undefined, generation: number): boolean {
  return before?.kind === 'interfaceDown' && before.generation === generation;
}

const nothingCounted: Counted = { totals: noTotals, isStalled: false };

/** What a person must still know an hour later. */
function isRenewed({ kind }: CaptureStatus): boolean {
  return kind === 'refused' || kind === 'failed' || kind === 'interfaceDown';
}

function isSameStatus(a: CaptureStatus, b: CaptureStatus): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
