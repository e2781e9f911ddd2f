import type { ServerHttp2Stream } from 'node:http2';
import type { RecordingCounters } from '../../api/capture.ts';
import type { Clock } from '../../base/clock.ts';
import { coalesced } from '../../base/coalesced.ts';
import { every, throttle } from '../../base/timers.ts';
import { type Wakeup, wakeup } from '../../base/wakeup.ts';
import type { Log } from '../../kubernetes/logger.ts';
import { respondUntilComplete } from '../../link/complete-answer.ts';
import type { ReportLine } from '../../link/protocol.ts';
import type { PodState } from '../observability/capture-states.ts';
import type { Plan } from '../planner/decisions.ts';
import type { CaptureFolders } from '../storage/capture-folders.ts';
import type { DeletedRecordings } from '../storage/deleted-recordings.ts';
import type { RecordingNote } from '../storage/recording-note.ts';
import { type DescribedRecording, describeRecordings } from './describe-recordings.ts';
import { keptDeletions } from './kept-deletions.ts';
import { keptNotes } from './kept-notes.ts';
import type { LinkHandler } from './link-handler.ts';
import { reportLines } from './report-lines.ts';
import { writeChunk } from './write-chunk.ts';

/** What hubs are told of the recordings of this Node. */
export type RecordingReports = AsyncDisposable & {
  /** A state may have changed. Never waits and never throws. */
  readonly changed: () => void;
  /** Answers with all recordings, and then each change. */
  readonly handle: LinkHandler;
};

export type RecordingReportsOptions = {
  readonly states: () => readonly PodState[];
  /** Undefined before the Pods are listed. */
  readonly plan: () => Plan | undefined;
  readonly folders: Pick<CaptureFolders, 'states' | 'readNote' | 'writeNote'>;
  readonly deletions: DeletedRecordings;
  /** As they were last asked for, by UID. */
  readonly counters: () => ReadonlyMap<string, RecordingCounters>;
  /** Counts those recordings now. Never rejects. */
  readonly countAnew: (uids: readonly string[]) => Promise<void>;
  readonly clock: Pick<Clock, 'nowMs'>;
  readonly heartbeatMs?: number;
  readonly log: Log;
};

const minUpdateIntervalMs = 100;
/** What changes without a status: a decision, or a folder. */
const updateEveryMs = 1_000;
/** Hubs are told nothing before the first plan, or this long after the start: until then little is known. */
const firstPlanMs = 5_000;
/** A capture starts, ends and is deleted within this time. */
const undecidedMs = 5_000;
const defaultHeartbeatMs = 15_000;

/** Keeps what hubs are told up to date, and in the folders what a later agent has to know for that. */
export function openRecordingReports(options: RecordingReportsOptions): RecordingReports {
  const { folders, clock, log, heartbeatMs = defaultHeartbeatMs } = options;
  const lines = reportLines();
  const notes = keptNotes(folders, log);
  const deletions = keptDeletions(lines, options.deletions, log);
  const undecided = undecidedRecordings(clock);
  const ending = new AbortController();
  const startMs = clock.nowMs();
  let isComplete = false;
  const readers = new Set<Wakeup>();

  function describe(): ReadonlyMap<string, DescribedRecording> {
    const all = folders.states();
    const known = new Map([...all].filter(([uid]) => notes.isRead(uid)));
    const ofKnown = options.states().filter(({ uid }) => known.has(uid) || !all.has(uid));
    const mayPass = (state: PodState) => known.has(state.uid) && mayBeEnding(state, notes.all);
    const settled = byUid(ofKnown.filter((state) => !mayPass(state)));
    const undecidedUids = undecided.among(known, settled);
    const lasting = byUid(ofKnown.filter(({ uid }) => undecidedUids.has(uid)));
    return describeRecordings({
      states: new Map([...settled, ...lasting]),
      undecided: undecidedUids,
      plan: options.plan(),
      folders: known,
      notes: notes.all,
      counters: options.counters(),
      now: new Date().toISOString(),
    });
  }

  const updating = coalesced(
    async () => {
      await deletions.load();
      await notes.load();
      const over = uidsOfStopped(describe(), notes.all);
      // So that the line that says that it is over has its last counts.
      if (over.length > 0) await options.countAnew(over);
      const described = describe();
      const wasComplete = isComplete;
      isComplete ||= options.plan() !== undefined || clock.nowMs() - startMs >= firstPlanMs;
      // What an earlier agent left is known from the start: so its deletion is told.
      const hasChanged = lines.update(
        [...described.values()].map(({ reported }) => reported),
        clock.nowMs(),
      );
      await deletions.keep();
      // What is not decided yet must not become a state.
      if (!isComplete) return;
      await notes.keep(described);
      if (!hasChanged && wasComplete) return;
      for (const reader of readers) reader.wake();
    },
    (error) => log.warn({ err: error }, 'failed to update what hubs are told'),
  );
  const throttled = throttle(minUpdateIntervalMs, updating.run);
  const checking = every(updateEveryMs, async () => throttled.run());
  throttled.run();

  const handle: LinkHandler = async ({ stream, signal: ofStream }) => {
    const signal = AbortSignal.any([ofStream, ending.signal]);
    respondUntilComplete(stream, { ':status': 200, 'content-type': 'application/x-ndjson' });
    const reader = wakeup();
    readers.add(reader);
    signal.addEventListener('abort', reader.wake);
    let sent: Sent = { version: 0, leftOut: undefined };
    while (!signal.aborted) {
      const before = sent;
      if (isComplete) sent = await sendNew(stream, lines, sent, signal);
      if (sent === before) await writeChunk(stream, heartbeat, signal);
      await reader.wait(heartbeatMs);
    }
    readers.delete(reader);
  };

  return {
    changed: throttled.run,
    handle,
    async [Symbol.asyncDispose]() {
      ending.abort();
      checking[Symbol.dispose]();
      throttled[Symbol.dispose]();
      await updating.settled();
    },
  };
}

function byUid(states: readonly PodState[]): ReadonlyMap<string, PodState> {
  return new Map(states.map((state) => [state.uid, state]));
}

/** The network of a Pod is gone a moment before the Pod is known to have ended: then it waits for none. */
function mayBeEnding({ uid, state }: PodState, notes: ReadonlyMap<string, RecordingNote>): boolean {
  return state === 'waiting' && notes.get(uid)?.phase?.phase === 'Capturing';
}

/** Those that were being captured when they were described last, and are not any more. */
function uidsOfStopped(
  described: ReadonlyMap<string, DescribedRecording>,
  notes: ReadonlyMap<string, RecordingNote>,
): readonly string[] {
  const wasCapturing = (uid: string) => notes.get(uid)?.phase?.phase === 'Capturing';
  return [...described]
    .filter(([uid, { reported }]) => reported.status.phase !== 'Capturing' && wasCapturing(uid))
    .map(([uid]) => uid);
}

/** What a hub has been sent: everything up to that version. `leftOut`: as it was told; undefined before `synced`. */
type Sent = { readonly version: number; readonly leftOut: number | undefined };

const heartbeat = textOf({ kind: 'heartbeat' });

function textOf(line: ReportLine): string {
  return `${JSON.stringify(line)}\n`;
}

/**
 * Returns the same object if there was nothing new. What changes meanwhile is sent as it is then: no line is kept for a
 * hub that reads slowly.
 */
async function sendNew(
  stream: ServerHttp2Stream,
  lines: ReturnType<typeof reportLines>,
  sent: Sent,
  signal: AbortSignal,
): Promise<Sent> {
  let { version } = sent;
  let told = sent.leftOut ?? 0;
  // Entries that change while this waits are at the end of the map, which has them once.
  for (const entry of lines.entries.values()) {
    if (entry.version <= version) continue;
    await writeChunk(stream, entry.line, signal);
    if (signal.aborted) return sent;
    version = entry.version;
    told = entry.leftOut ?? told;
  }
  const leftOut = lines.leftOut();
  if (leftOut !== told) await writeChunk(stream, textOf({ kind: 'leftOut', recordings: leftOut }), signal);
  if (sent.leftOut === undefined) await writeChunk(stream, textOf({ kind: 'synced' }), signal);
  const isSame = version === sent.version && leftOut === sent.leftOut;
  return isSame ? sent : { version, leftOut };
}

/** Those that have a folder, and for some time no state. */
function undecidedRecordings({ nowMs }: RecordingReportsOptions['clock']) {
  let since: ReadonlyMap<string, number> = new Map();
  return {
    among(folders: ReadonlyMap<string, unknown>, states: ReadonlyMap<string, unknown>): ReadonlySet<string> {
      const uids = [...folders.keys()].filter((uid) => !states.has(uid));
      since = new Map(uids.map((uid) => [uid, since.get(uid) ?? nowMs()]));
      return new Set(uids.filter((uid) => nowMs() - (since.get(uid) ?? 0) >= undecidedMs));
    },
  };
}
