import { basename } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { RecordingCounters } from '../../api/capture.ts';
import type { Clock } from '../../base/clock.ts';
import { semaphore } from '../../base/semaphore.ts';
import type { Log } from '../../kubernetes/logger.ts';
import { respondUntilComplete } from '../../link/complete-answer.ts';
import type { CountersLine } from '../../link/protocol.ts';
import type { PodState } from '../observability/capture-states.ts';
import type { CaptureFolders } from '../storage/capture-folders.ts';
import type { Totals } from '../storage/capture-records.ts';
import { parseFolderName } from '../storage/file-names.ts';
import { type PacketTimes, packetTimesReader } from '../storage/packet-times.ts';
import { countsOf, storedIn } from '../storage/recorded-counts.ts';
import { type Recording, readRecording } from '../storage/recordings.ts';
import { nothingCounted } from './describe-recordings.ts';
import type { LinkHandler } from './link-handler.ts';
import { writeChunk } from './write-chunk.ts';

/** What the recordings of this Node have counted by now. */
export type CountedRecordings = {
  /** Answers with those of all recordings, or of the one in `uid`. */
  readonly handle: LinkHandler;
  /** As they were last asked for, by UID. */
  readonly latest: () => ReadonlyMap<string, RecordingCounters>;
  /** Counts those recordings now, for `latest`. Never rejects. */
  readonly countAnew: (uids: readonly string[]) => Promise<void>;
};

export type CountedRecordingsOptions = {
  readonly states: () => readonly PodState[];
  readonly folders: Pick<CaptureFolders, 'states' | 'pathOf'>;
  /** What the running captures of that UID have counted, by generation, with what tcpdump says now. */
  readonly freshTotals: (uid: string) => Promise<ReadonlyMap<number, Totals>>;
  readonly clock: Clock;
  readonly log: Log;
};

/**
 * A tcpdump that answers later is counted as its record has it. All are asked at once: a hub waits for a second in all.
 */
const answerWithinMs = 500;
/** Two hubs ask for the same. */
const cacheMs = 1_000;
const foldersAtOnce = 16;

/** Counts when it is asked, as `podcap list` does, and asks tcpdump besides. */
export function countedRecordings(options: CountedRecordingsOptions): CountedRecordings {
  const { folders, clock, log } = options;
  const times = packetTimesReader();
  const reading = semaphore(foldersAtOnce);
  const never = new AbortController().signal;
  const cached = new Map<string, { readonly atMs: number; readonly counting: Promise<RecordingCounters> }>();
  const latest = new Map<string, RecordingCounters>();

  async function countNow(uid: string): Promise<RecordingCounters> {
    const path = folders.pathOf(uid);
    const named = path === undefined ? undefined : parseFolderName(basename(path));
    if (path === undefined || !named) return nothingStored;
    const fresh = await Promise.race([
      options.freshTotals(uid),
      sleep(answerWithinMs, noFreshTotals, { ref: false }),
    ]);
    return await reading(async () => {
      const recording = await readRecording(path, named);
      if (!recording) return nothingStored;
      return countersOf(recording, { fresh, times: await times.of(recording), clock });
    }, never);
  }

  function count(uid: string): Promise<RecordingCounters> {
    const known = cached.get(uid);
    return known && clock.nowMs() - known.atMs < cacheMs ? known.counting : startCounting(uid);
  }

  function startCounting(uid: string): Promise<RecordingCounters> {
    const counting = countNow(uid).catch((error: unknown) => {
      log.warn({ uid, err: error }, 'failed to count the packets of a recording');
      return latest.get(uid) ?? notCounted;
    });
    cached.set(uid, { atMs: clock.nowMs(), counting });
    return counting;
  }

  function forgetOthers(uids: ReadonlySet<string>): void {
    for (const uid of cached.keys()) if (!uids.has(uid)) cached.delete(uid);
    for (const uid of latest.keys()) if (!uids.has(uid)) latest.delete(uid);
    times.keepOnly(new Set([...uids].flatMap((uid) => folders.pathOf(uid) ?? [])));
  }

  return {
    latest: () => latest,
    async countAnew(uids) {
      await Promise.all(uids.map(async (uid) => latest.set(uid, await startCounting(uid))));
    },
    async handle({ stream, query, signal }) {
      const known = new Set([...folders.states().keys(), ...options.states().map(({ uid }) => uid)]);
      forgetOthers(known);
      const asked = query.get('uid');
      const uids = [...known].filter((uid) => asked === null || uid === asked);
      respondUntilComplete(stream, { ':status': 200, 'content-type': 'application/x-ndjson' });
      const counting = uids.map((uid) => [uid, count(uid)] as const);
      for (const [uid, counted] of counting) {
        const line: CountersLine = { uid, counters: await counted };
        latest.set(uid, line.counters);
        await writeChunk(stream, `${JSON.stringify(line)}\n`, signal);
        if (signal.aborted) return;
      }
      stream.end();
    },
  };
}

const notCounted: RecordingCounters = { files: 0, bytes: 0 };
const nothingStored: RecordingCounters = { ...notCounted, ...nothingCounted };
const noFreshTotals: ReadonlyMap<number, Totals> = new Map();

function countersOf(
  recording: Recording,
  known: {
    readonly fresh: ReadonlyMap<number, Totals>;
    readonly times: PacketTimes;
    readonly clock: Clock;
  },
): RecordingCounters {
  const records = recording.generations.flatMap(({ record }) => {
    const totals = record && known.fresh.get(record.generation);
    if (!totals) return record ?? [];
    // It is not dead, even if its record cannot be written.
    return { ...record, totals, clock: { ...record.clock, lastMs: known.clock.nowMs() } };
  });
  const stored = storedIn(recording);
  return {
    ...stored,
    ...(stored.files === 0 && nothingCounted),
    ...(records.length > 0 && countsOf(records, known.clock)),
    ...(known.times && {
      firstPacketTime: rfc3339(known.times.firstUs),
      lastPacketTime: rfc3339(known.times.lastUs),
    }),
  };
}

function rfc3339(timeUs: number): string {
  return new Date(Math.floor(timeUs / 1_000)).toISOString();
}
