import { linkBounds, type ReportedRecording, type ReportLine } from '../../link/protocol.ts';
import type { DeletedRecording } from '../storage/deleted-recordings.ts';
import { fittingReports, type MeasuredReport } from './fitting-reports.ts';

/** One thing that hubs are told, and when it changed: a greater version is newer. */
export type ReportEntry = {
  readonly version: number;
  /** With its newline. */
  readonly line: string;
  /** How many recordings it says are left out; undefined: it says nothing of that. */
  readonly leftOut: number | undefined;
};

/**
 * What hubs are to know: one line for each recording that there is, and for each that was deleted within 10 minutes, the
 * one that changed last at the end. A hub that reads slowly gets the newest of what it has not read.
 */
export type ReportLines = {
  readonly entries: ReadonlyMap<string, ReportEntry>;
  /** How many recordings are not in it, because of the bounds. */
  readonly leftOut: () => number;
  /** Returns whether anything has changed. `nowMs`: of a monotonic clock. */
  readonly update: (recordings: readonly ReportedRecording[], nowMs: number) => boolean;
  /** Those that were deleted within 10 minutes, oldest first. */
  readonly deleted: () => readonly DeletedRecording[];
  /** Adds what an earlier agent has left of that, before the first update. */
  readonly remember: (deleted: readonly DeletedRecording[]) => void;
};

const rememberDeletedMs = 10 * 60_000;
const mostDeleted = linkBounds.recordings;

/** Starts empty. */
export function reportLines(unixTime: () => string = () => new Date().toISOString()): ReportLines {
  const entries = new Map<string, ReportEntry>();
  /** As it was told last, by UID. */
  const known = new Map<string, KnownReport>();
  /** Those that hubs were told of, and are left out now. */
  const dropped = new Map<string, ReportedRecording>();
  /** Oldest first. */
  const deleted = new Map<string, DeletedRecording>();
  let version = 0;
  let leftOut = 0;

  function set(uid: string, line: ReportLine): void {
    version += 1;
    // At the end, in the order of versions.
    entries.delete(uid);
    const told = line.kind === 'leftOut' ? line.recordings : undefined;
    entries.set(uid, { version, line: `${JSON.stringify(line)}\n`, leftOut: told });
  }

  function setDeleted(deletion: DeletedRecording): void {
    const { namespace, name, uid, deletedAt } = deletion;
    known.delete(uid);
    dropped.delete(uid);
    deleted.delete(uid);
    deleted.set(uid, deletion);
    set(uid, { kind: 'deleted', namespace, name, uid, deletedAt });
  }

  function drop({ recording }: KnownReport): void {
    known.delete(recording.uid);
    dropped.set(recording.uid, recording);
    set(recording.uid, { kind: 'leftOut', recordings: leftOut, uid: recording.uid });
  }

  function tell(report: KnownReport): void {
    const { recording } = report;
    if (known.get(recording.uid) === report) return;
    known.set(recording.uid, report);
    dropped.delete(recording.uid);
    deleted.delete(recording.uid);
    set(recording.uid, { kind: 'recording', recording });
  }

  function forgetDeleted(nowMs: number): void {
    for (const [uid, { atMs }] of deleted) {
      if (nowMs - atMs < rememberDeletedMs && deleted.size <= mostDeleted) return;
      deleted.delete(uid);
      entries.delete(uid);
    }
  }

  return {
    entries,
    leftOut: () => leftOut,
    update(recordings, nowMs) {
      const before = version;
      const all = new Set(recordings.map(({ uid }) => uid));
      const fitting = fittingReports(recordings.map((recording) => measured(recording, known)));
      const uids = new Set(fitting.map(({ recording }) => recording.uid));
      leftOut = recordings.length - fitting.length;
      // First of all what makes room in the hub for the rest.
      for (const { uid, namespace, name } of [...recordingsIn(known), ...dropped.values()]) {
        if (!all.has(uid)) setDeleted({ namespace, name, uid, deletedAt: unixTime(), atMs: nowMs });
      }
      for (const report of known.values()) if (!uids.has(report.recording.uid)) drop(report);
      fitting.forEach(tell);
      forgetDeleted(nowMs);
      return version !== before;
    },
    deleted: () => [...deleted.values()],
    remember: (earlier) => earlier.forEach(setDeleted),
  };
}

type KnownReport = MeasuredReport & {
  /** Without what changes with each packet. */
  readonly text: string;
};

function recordingsIn(known: ReadonlyMap<string, KnownReport>): readonly ReportedRecording[] {
  return [...known.values()].map(({ recording }) => recording);
}

/** What is told already counts as it was told: in the hub, too. */
function measured(recording: ReportedRecording, known: ReadonlyMap<string, KnownReport>): KnownReport {
  const text = lastingText(recording);
  const told = known.get(recording.uid);
  if (told?.text === text) return told;
  const fitted = withinLine(recording);
  return { recording: fitted, text, bytes: bytesOf(fitted) };
}

/** With as many of its newest frozen rings as fit into a line. */
function withinLine(recording: ReportedRecording): ReportedRecording {
  const { frozen = [] } = recording.status;
  // Everything else takes 40 kB at most.
  if (frozen.length === 0 || bytesOf(recording) <= linkBounds.lineBytes) return recording;
  return withinLine({ ...recording, status: { ...recording.status, frozen: frozen.slice(1) } });
}

function bytesOf(recording: ReportedRecording): number {
  return Buffer.byteLength(JSON.stringify({ kind: 'recording', recording })) + 1;
}

/** Hubs ask for the counters. */
function lastingText({ status, ...recording }: ReportedRecording): string {
  const { phase, reason, message, phaseSince, interfaces, requested, requestedBy, frozen } = status;
  const { startTime, podCreationTime } = status;
  const times = [phaseSince, startTime, podCreationTime];
  const lasting = [phase, reason, message, times, interfaces, requested, requestedBy, frozen];
  return JSON.stringify([recording, lasting]);
}
