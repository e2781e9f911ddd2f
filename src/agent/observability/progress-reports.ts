import type { Logger } from 'pino';
import type { Totals } from '../storage/capture-records.ts';
import type { CaptureStatus, KnownStatus, StatusListener } from './capture-status.ts';
import {
  type EventMessage,
  type Loss,
  lossMessageOf,
  type Place,
  progressMessageOf,
} from './event-messages.ts';
import type { MissedBefore } from './recording-report.ts';

/** Reports of running captures that nothing else causes: what they lost, and, before Events expire, their numbers. */
export type ProgressReports = {
  /** Sees each status: what an Event has just said needs no other report. */
  readonly onStatus: StatusListener;
  /** Reports what is due now, given every status. Never rejects. */
  readonly report: (statuses: readonly KnownStatus[]) => Promise<void>;
};

export type ProgressReportsOptions = Pick<Place, 'nodeName'> & {
  readonly record: (event: EventMessage & { readonly pod: KnownStatus['pod'] }) => void;
  /** What all captures of the Pod have counted, also those of earlier agents. */
  readonly totalsOf: (uid: string) => Promise<Totals | undefined>;
  /** Milliseconds of a monotonic clock. */
  readonly nowMs: () => number;
  readonly log: Logger;
};

/** A loss that lasts is not reported more often. */
export const lossEveryMs = 10 * 60_000;
/** The API server deletes an Event an hour after it was last written. */
export const progressEveryMs = 45 * 60_000;

/** What has been reported of one capture since it started to capture. */
export type Reported = {
  /** What was missed before the Pod was captured is no loss. */
  readonly expectedMissed: number;
  /** The newest start of which that is known: the same one is reported again when the number of files changes. */
  readonly generation: number | undefined;
  readonly loss: Loss;
  readonly lossMs: number | undefined;
  /** When the last Event of any kind was recorded. */
  readonly eventMs: number;
};

export type DueReport =
  | { readonly kind: 'loss'; readonly more: Loss }
  | { readonly kind: 'progress' }
  | undefined;

/**
 * Returns what has to be reported of a capture now; nothing for one that does not capture. Pure. While one interface has a
 * problem, others can lose packets.
 */
export function dueReport(
  { status, totals }: Pick<KnownStatus, 'status' | 'totals'>,
  reported: Reported,
  nowMs: number,
): DueReport {
  if (!isCapturing(status)) return undefined;
  const more = lossSince(totals, reported);
  const isLossDue = reported.lossMs === undefined || nowMs - reported.lossMs >= lossEveryMs;
  if (isLossDue && more.dropped + more.lostAtStop + more.missed > 0) return { kind: 'loss', more };
  const isProgressDue = status.kind === 'capturing' && nowMs - reported.eventMs >= progressEveryMs;
  return isProgressDue ? { kind: 'progress' } : undefined;
}

function isCapturing({ kind }: CaptureStatus): boolean {
  return kind === 'capturing' || kind === 'interfaceDown' || kind === 'interfaceRenamed';
}

/** Counts can also fall: what was missed is an upper bound until it is known. */
function lossSince(totals: Loss, { loss, expectedMissed }: Reported): Loss {
  return {
    dropped: Math.max(0, totals.dropped - loss.dropped),
    lostAtStop: Math.max(0, totals.lostAtStop - loss.lostAtStop),
    missed: Math.max(0, totals.missed - expectedMissed - loss.missed),
  };
}

/** Starts with nothing reported; keeps a few numbers for each capture from its start until it stops. */
export function progressReports(options: ProgressReportsOptions): ProgressReports {
  const { record, totalsOf, nowMs, log } = options;
  const known = new Map<string, Reported>();

  async function reportOne({ pod, status, totals }: KnownStatus): Promise<void> {
    const before = known.get(pod.uid);
    const due = before && dueReport({ status, totals }, before, nowMs());
    if (!due) return;
    const eventMs = nowMs();
    // Before anything is awaited: a status that is reported meanwhile changes it again.
    known.set(pod.uid, {
      ...before,
      eventMs,
      ...(due.kind === 'loss' && lossReported(before, due.more, eventMs)),
    });
    const all = (await totalsOf(pod.uid)) ?? totals;
    if (due.kind === 'loss') log.warn({ ...fieldsOf(pod), ...due.more }, 'packets lost');
    record({
      ...(due.kind === 'loss' ? lossMessageOf(due.more, all) : progressMessageOf(all, options)),
      pod,
    });
  }

  return {
    onStatus({ uid }, status) {
      if (status.kind === 'warning' || status.kind === 'frozen' || status.kind === 'notFrozen') return;
      const after = reportedAfter(known.get(uid), status, nowMs());
      if (after) known.set(uid, after);
      else known.delete(uid);
    },
    async report(statuses) {
      for (const status of statuses) {
        await reportOne(status).catch((error: unknown) =>
          log.warn({ ...fieldsOf(status.pod), err: error }, 'failed to report the progress of a capture'),
        );
      }
    },
  };
}

const nothingReported: Reported = {
  expectedMissed: 0,
  generation: undefined,
  loss: { dropped: 0, lostAtStop: 0, missed: 0 },
  lossMs: undefined,
  eventMs: 0,
};

/**
 * Undefined before it captures, because a Pod that is only ever refused or waits reports no end, and once its recording
 * has ended: the next one counts from 0. Pure.
 */
export function reportedAfter(
  reported: Reported | undefined,
  status: CaptureStatus,
  nowMs: number,
): Reported | undefined {
  if (status.kind === 'stopped' || status.kind === 'deleted') return undefined;
  if (!reported && status.kind !== 'capturing') return undefined;
  const before = { ...(reported ?? nothingReported), eventMs: nowMs };
  if (status.kind !== 'capturing') return before;
  const { generation, missedBefore } = status;
  // It is reported again when it is known.
  if (generation <= (before.generation ?? 0) || missedBefore.kind === 'unknown') return before;
  return { ...before, generation, expectedMissed: before.expectedMissed + firstPackets(missedBefore) };
}

function firstPackets(missedBefore: MissedBefore): number {
  if (missedBefore.kind === 'first') return missedBefore.packets;
  return missedBefore.kind === 'gap' ? (missedBefore.firstPackets ?? 0) : 0;
}

function lossReported({ loss }: Reported, more: Loss, lossMs: number): Pick<Reported, 'loss' | 'lossMs'> {
  return {
    lossMs,
    loss: {
      dropped: loss.dropped + more.dropped,
      lostAtStop: loss.lostAtStop + more.lostAtStop,
      missed: loss.missed + more.missed,
    },
  };
}

function fieldsOf({ namespace, name, uid }: KnownStatus['pod']) {
  return { namespace, pod: name, uid };
}
