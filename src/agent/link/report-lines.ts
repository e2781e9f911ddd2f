import { linkBounds, type ReportedRecording, type ReportLine } from '../../link/protocol.ts';
import type { DeletedRecording } from '../storage/deleted-recordings.ts';

/** One thing that hubs are told, and when it changed: a greater version is newer. */
export type ReportEntry = { readonly version: number; readonly line: string };

/**
 * What hubs are to know: one line for each recording that there is, and for each that was deleted within 10 minutes, the
 * one that changed last at the end. A hub that reads slowly gets the newest of what it has not read.
 */
export type ReportLines = {
  readonly entries: ReadonlyMap<string, ReportEntry>;
  /** How many recordings are not in it, because of the bounds. */
  readonly leftOut: () => number;
  /** Increases when a recording is left out that was in it: a hub must be told everything again. */
  readonly epoch: () => number;
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
  /** By UID, without what changes with each packet. */
  const known = new Map<string, { readonly text: string; readonly recording: ReportedRecording }>();
  /** Oldest first. */
  const deleted = new Map<string, DeletedRecording>();
  let version = 0;
  let leftOut = 0;
  let epoch = 0;

  function set(uid: string, line: ReportLine): void {
    version += 1;
    // At the end, in the order of versions.
    entries.delete(uid);
    entries.set(uid, { version, line: `${JSON.stringify(line)}\n` });
  }

  function setDeleted(deletion: DeletedRecording): void {
    const { namespace, name, uid, deletedAt } = deletion;
    known.delete(uid);
    deleted.delete(uid);
    deleted.set(uid, deletion);
    set(uid, { kind: 'deleted', namespace, name, uid, deletedAt });
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
    epoch: () => epoch,
    update(recordings, nowMs) {
      const before = version;
      const all = new Map(recordings.map((recording) => [recording.uid, recording]));
      const fitting = withinBounds(recordings);
      const uids = new Set(fitting.map(({ uid }) => uid));
      leftOut = recordings.length - fitting.length;
      for (const [uid, { recording }] of known) {
        if (uids.has(uid)) continue;
        if (all.has(uid)) {
          known.delete(uid);
          entries.delete(uid);
          epoch += 1;
          version += 1;
        } else {
          const { namespace, name } = recording;
          setDeleted({ namespace, name, uid, deletedAt: unixTime(), atMs: nowMs });
        }
      }
      for (const recording of fitting) {
        const text = lastingText(recording);
        if (known.get(recording.uid)?.text === text) continue;
        known.set(recording.uid, { text, recording });
        deleted.delete(recording.uid);
        set(recording.uid, { kind: 'recording', recording });
      }
      forgetDeleted(nowMs);
      return version !== before;
    },
    deleted: () => [...deleted.values()],
    remember: (earlier) => earlier.forEach(setDeleted),
  };
}

/** The newest recordings that fit, each with as many of its newest frozen rings as fit into a line. */
function withinBounds(recordings: readonly ReportedRecording[]): readonly ReportedRecording[] {
  const newestFirst = recordings.toSorted(
    (a, b) => Date.parse(b.status.startTime) - Date.parse(a.status.startTime),
  );
  const fitting: ReportedRecording[] = [];
  let bytes = 0;
  for (const recording of newestFirst.slice(0, linkBounds.recordings)) {
    const fitted = withinLine(recording);
    bytes += bytesOf(fitted);
    if (bytes > linkBounds.reportBytes) break;
    fitting.push(fitted);
  }
  return fitting;
}

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
  const { phase, reason, message, phaseSince, startTime, interfaces, requested, requestedBy, frozen } =
    status;
  const lasting = [phase, reason, message, phaseSince, startTime, interfaces, requested, requestedBy, frozen];
  return JSON.stringify([recording, lasting]);
}
