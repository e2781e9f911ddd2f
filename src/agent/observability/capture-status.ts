import { isDeepStrictEqual } from 'node:util';
import type { DeleteReason } from '../planner/decisions.ts';
import type { PodName } from '../storage/capture-folders.ts';
import { addTotals, noTotals, type Totals } from '../storage/capture-records.ts';
import { type CapturingReport, newsOf, startsOf, type ToldStarts } from './capturing-report.ts';
import type { RecordingReport } from './recording-report.ts';

/**
 * The state of each Pod's capture, in memory. The loops (capture/) write it; Events, log lines, metrics and
 * readiness are made from it.
 */
export type CaptureStatuses = {
  /**
   * Something happened to that Pod's capture. A status that equals the one before is not reported again; a warning, or
   * a frozen ring, is passed on and changes no status.
   */
  readonly report: (pod: PodName, report: CaptureReport) => void;
  /** A tcpdump captures packets, which is counted. */
  readonly started: () => void;
  /** What that Pod's recording has counted so far. */
  readonly count: (pod: PodName, counted: Counted) => void;
  /** Nothing of that UID is left. */
  readonly forget: (uid: string) => void;
  readonly of: (uid: string) => CaptureStatus | undefined;
  readonly all: () => readonly KnownStatus[];
  /** The sum over every capture that this agent ran, including those that have ended. */
  readonly totals: () => Totals;
  /** Over every capture that this agent ran. */
  readonly counts: () => StatusCounts;
  /** Reports every problem that persists again: the API server deletes Events after an hour. */
  readonly renew: () => void;
};

export type StatusCounts = {
  readonly starts: number;
  readonly failures: number;
  readonly freezes: number;
  readonly notFrozen: number;
};

/** What happens to a Pod's capture. */
export type CaptureReport = RecordingReport | { readonly kind: 'deleted'; readonly why: DeleteReason };

/** What last happened to a Pod's capture, except for warnings. */
export type CaptureStatus = Exclude<CaptureReport, Happening>;

/** What is passed on and changes no status. */
type Happening = { readonly kind: 'warning' | 'frozen' | 'notFrozen' };

/** A capture is stalled if packets pass and it writes none, or if its tcpdump does not answer. */
export type Counted = { readonly totals: Totals; readonly isStalled: boolean };

export type KnownStatus = Counted & { readonly pod: PodName; readonly status: CaptureStatus };

/** Called for each change, in order. */
export type StatusListener = (pod: PodName, report: CaptureReport) => void;

/** Starts empty: a restarted agent knows nothing of the captures before. */
export function captureStatuses(listeners: readonly StatusListener[]): CaptureStatuses {
  const known = new Map<string, KnownStatus>();
  const counts = { starts: 0, failures: 0, freezes: 0, notFrozen: 0 };
  /** By UID, what was told of the starts of its captures. */
  const told = new Map<string, ToldStarts>();
  /** By UID, the newest start that was reported without knowing the gap before it. */
  const uncorrected = new Map<string, number>();
  let ended = noTotals;

  function newsFor(uid: string, status: CaptureStatus): CaptureStatus {
    if (status.kind !== 'capturing') return status;
    const { news, told: toldNow } = newsOf(status, told.get(uid));
    told.set(uid, toldNow);
    return news;
  }

  const notify = (pod: PodName, report: CaptureReport) => {
    for (const listener of listeners) listener(pod, report);
  };

  return {
    report(pod, status) {
      if (isHappening(status)) {
        if (status.kind === 'frozen') counts.freezes += 1;
        if (status.kind === 'notFrozen') counts.notFrozen += 1;
        return notify(pod, status);
      }
      const before = known.get(pod.uid);
      if (status.kind === 'failed') counts.failures += 1;
      if (before && isSameStatus(before.status, status)) return;
      // The recording counts no more: what it counted moves to the agent's own sum.
      if (status.kind === 'stopped' && before) ended = addTotals(ended, before.totals);
      const { totals, isStalled } = status.kind === 'stopped' || !before ? nothingCounted : before;
      const after = { pod, status, totals, isStalled };
      known.set(pod.uid, after);
      if (isStillUnknown(before?.status, status)) return;
      const corrects = isCorrection(before?.status, status);
      const news = newsFor(pod.uid, status);
      // The gap became known while the interface was down, for example.
      if (corrects || isSettledStart(status, uncorrected.get(pod.uid))) notify(pod, news);
      if (!corrects) notify(pod, withoutCorrection(news));
      if (status.kind !== 'capturing') return;
      if (status.missedBefore.kind === 'unknown') uncorrected.set(pod.uid, status.generation);
      else uncorrected.delete(pod.uid);
    },
    started() {
      counts.starts += 1;
    },
    count(pod, counted) {
      const status = known.get(pod.uid)?.status ?? { kind: 'waiting' };
      known.set(pod.uid, { pod, status, ...counted });
    },
    forget(uid) {
      known.delete(uid);
      told.delete(uid);
      uncorrected.delete(uid);
    },
    of: (uid) => known.get(uid)?.status,
    all: () => [...known.values()],
    totals: () => [...known.values()].reduce((sum, { totals }) => addTotals(sum, totals), ended),
    counts: () => counts,
    renew() {
      for (const { pod, status } of known.values())
        if (isProblem(status)) notify(pod, withoutCorrection(status));
    },
  };
}

function isHappening(report: CaptureReport): report is Extract<CaptureReport, Happening> {
  return ['warning', 'frozen', 'notFrozen'].includes(report.kind);
}

/** Whether a start that has been reported, and nothing else, is reported with a gap that was not known before. */
function isCorrection(before: CaptureStatus | undefined, status: CaptureStatus): boolean {
  if (status.kind !== 'capturing' || before?.kind !== 'capturing') return false;
  const isKnown = before.missedBefore.kind === 'gap' && before.missedBefore.isSettled;
  return isSameStarts(before, status) && !isKnown;
}

function isSameStarts(a: CapturingReport, b: CapturingReport): boolean {
  const [ofA, ofB] = [a, b].map((each) => startsOf(each).map(({ generation }) => generation));
  return isDeepStrictEqual(ofA, ofB);
}

/** Whether nothing is new but that a part of what was missed is known by now: that is told with the rest. */
function isStillUnknown(before: CaptureStatus | undefined, status: CaptureStatus): boolean {
  if (status.kind !== 'capturing' || before?.kind !== 'capturing') return false;
  const isSame = isDeepStrictEqual({ ...before, starts: [] }, { ...status, starts: [] });
  return isSame && isSameStarts(before, status) && status.missedBefore.kind === 'unknown';
}

function isSettledStart(status: CaptureStatus, generation: number | undefined): boolean {
  if (status.kind !== 'capturing' || status.generation !== generation) return false;
  return status.missedBefore.kind === 'gap' && status.missedBefore.isSettled;
}

/** It captures again, or keeps another number of files: that is news, whenever its gap became known. */
function withoutCorrection(status: CaptureStatus): CaptureStatus {
  if (status.kind !== 'capturing' || status.missedBefore.kind !== 'gap') return status;
  return { ...status, missedBefore: { ...status.missedBefore, isSettled: false } };
}

const nothingCounted: Counted = { totals: noTotals, isStalled: false };

/** What people must still be able to see an hour later. */
function isProblem(status: CaptureStatus): boolean {
  if (status.kind === 'waiting') return status.problem !== undefined;
  if (status.kind === 'capturing') return status.refused !== undefined;
  return ['refused', 'failed', 'interfaceDown', 'interfaceRenamed'].includes(status.kind);
}

function isSameStatus(a: CaptureStatus, b: CaptureStatus): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
