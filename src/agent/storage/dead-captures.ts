import { lstat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../base/clock.ts';
import { ifExists } from '../../base/fs-errors.ts';
import type { Log } from '../../kubernetes/logger.ts';
import { awaitsRecount, type CaptureRecord, isOver, readRecord } from './capture-records.ts';
import { indexCount, isFileFrom } from './file-names.ts';
import { packetsIn } from './packets-in.ts';
import type { RecordWriter } from './record-writer.ts';
import { listRingFiles } from './ring-files.ts';

/**
 * The captures of one folder whose agents died with them: their records say what they had captured up to 18 s before.
 * Their packets are counted once in their files, and the records are corrected.
 */
export type DeadCaptures = {
  /** That one is dead. Counts its packets unless that was done before. Never rejects. */
  readonly count: (generation: number) => Promise<void>;
  /** Does so with those of these that are dead. Never rejects. */
  readonly countAmong: (generations: Iterable<number>) => Promise<void>;
  /** What this process captures: that is not dead, whatever the records say. */
  readonly ours: Set<number>;
};

export type DeadCapturesOptions = {
  /** Of the Pod's folder. */
  readonly path: string;
  /** The name of the agent's own Pod: what an earlier process of that name captured is dead. */
  readonly agent: string;
  readonly clock: Clock;
  readonly writer: Pick<RecordWriter, 'write' | 'isUnwritten'>;
  /** Runs the work while few others run. */
  readonly withinBounds: (work: () => Promise<void>) => Promise<void>;
  /** Runs the work unless the folder is being removed. */
  readonly unlessRemoved: (work: () => Promise<void>) => Promise<void>;
  readonly log: Log;
};

/** Captures of this process are never counted here. */
export function deadCaptures(options: DeadCapturesOptions): DeadCaptures {
  const { path, agent, clock, writer, withinBounds, unlessRemoved, log } = options;
  const ours = new Set<number>();
  /** Each is counted once: later its files are being deleted. */
  const counted = new Map<number, Promise<void>>();

  const failed = (generation: number) => (error: unknown) => {
    log.warn({ folder: path, generation, err: error }, 'failed to count the packets of a dead capture');
    return undefined;
  };

  async function correct(generation: number): Promise<void> {
    const record = await readRecord(path, generation);
    if (!record || !awaitsRecount(record)) return;
    // What is not counted now would seem to be less later.
    const stored = await packetsStored(path, record).catch(failed(generation));
    await unlessRemoved(async () => {
      // Another agent may have counted it too, and have begun to delete.
      const now = await readRecord(path, generation);
      if (!now || !awaitsRecount(now)) return;
      if (now.clock.lastMs === record.clock.lastMs) await writer.write(recounted(now, stored));
      // Its agent was only stopped for a while.
      else counted.delete(generation);
    });
  }

  function count(generation: number): Promise<void> {
    if (ours.has(generation) || writer.isUnwritten(generation)) return Promise.resolve();
    const known = counted.get(generation);
    if (known) return known;
    const counting = withinBounds(() => correct(generation).catch(failed(generation)));
    counted.set(generation, counting);
    return counting;
  }

  return {
    ours,
    count,
    async countAmong(generations) {
      for (const generation of generations) {
        if (ours.has(generation)) continue;
        const record = await ifExists(readRecord(path, generation)).catch(() => undefined);
        if (record && (record.agent === agent || isOver(record, clock))) await count(generation);
      }
    },
  };
}

/** The packets in the files of one capture that are left. */
export type StoredPackets = {
  /** In files that were complete when its record was written. */
  readonly before: number;
  /** In the file that was being written then, and in later ones. */
  readonly since: number;
  readonly hasFiles: boolean;
  /** The file that was being written then is there: nothing that was captured since has been deleted. */
  readonly isWhole: boolean;
};

/**
 * Returns the record with what its capture has captured, lost and deleted since it was written. What tcpdump has both
 * captured and deleted since then is in no count, except of what its agent missed. Pure.
 */
export function recounted(record: CaptureRecord, stored: StoredPackets | undefined): CaptureRecord {
  const { files, totals } = record;
  const unknown = { ...record, recount: 'unknown' } as const;
  if (!files || !stored) return unknown;
  const { before, since, hasFiles, isWhole } = stored;
  // Somebody has deleted them: tcpdump keeps one.
  if (!hasFiles && totals.captured > files.pruned) return unknown;
  const written = files.packets + since;
  const captured = isWhole ? written : Math.max(written, totals.captured);
  const pruned = captured - before - since - files.pruned;
  if (pruned < 0) return unknown;
  return {
    ...record,
    recount: 'done',
    files: { ...files, pruned: files.pruned + pruned },
    totals: {
      ...totals,
      captured,
      pruned: totals.pruned + pruned,
      // tcpdump had captured them, and they are in no file: the power was cut, or tcpdump died before it wrote them.
      lostAtStop: totals.lostAtStop + Math.max(0, totals.captured - captured),
    },
  };
}

/** More than this is not read only to count it. */
const mostCountedBytes = 1_000_000_000;

/** Undefined if the files are too large to be read for that. Throws what read(2) says. */
async function packetsStored(
  folder: string,
  { generation: ours, files: { started } = { started: 0, packets: 0, pruned: 0 } }: CaptureRecord,
): Promise<StoredPackets | undefined> {
  const newest = Math.max(0, started - 1);
  const files = (await listRingFiles(folder)).filter(({ generation }) => generation === ours);
  let bytes = 0;
  for (const { name } of files) bytes += (await ifExists(lstat(join(folder, name))))?.size ?? 0;
  if (bytes > mostCountedBytes) return undefined;
  let [before, since] = [0, 0];
  for (const { name, index } of files) {
    const packets = await packetsIn(join(folder, name));
    if (isFileFrom(newest, index)) since += packets;
    else before += packets;
  }
  const isWhole = files.some(({ index }) => index === newest % indexCount);
  return { before, since, hasFiles: files.length > 0, isWhole };
}
