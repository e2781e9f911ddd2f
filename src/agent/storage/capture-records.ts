import { constants, open, readdir, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as v from 'valibot';
import type { Clock } from '../../base/clock.ts';
import { hasCode, ifExists } from '../../base/fs-errors.ts';
import { parseRecordName, recordName } from './file-names.ts';
import { replaceFile } from './replace-file.ts';

const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const milliseconds = v.pipe(v.number(), v.finite());

/** In packets, over one or more starts of tcpdump. */
const totalsSchema = v.object({
  captured: count,
  /** By the kernel, because tcpdump did not keep up. */
  dropped: count,
  /** Received, and neither in a file nor dropped: what lay in the kernel at the end, or could not be written. */
  lostAtStop: count,
  /** Captured, in files that the ring has deleted since: counted as tcpdump wrote them, or from the files' records. */
  pruned: count,
  /** Carried by the interface before the first capture of it, and between captures. */
  missed: count,
  /** Captured, and by the capture before as well, while this one took over from it. */
  duplicated: v.optional(count, 0),
  /** How long packets were captured. */
  capturedMs: v.pipe(milliseconds, v.minValue(0)),
});
export type Totals = v.InferOutput<typeof totalsSchema>;

export const noTotals: Totals = {
  captured: 0,
  dropped: 0,
  lostAtStop: 0,
  pruned: 0,
  missed: 0,
  duplicated: 0,
  capturedMs: 0,
};

export function addTotals(a: Totals, b: Totals): Totals {
  return {
    captured: a.captured + b.captured,
    dropped: a.dropped + b.dropped,
    lostAtStop: a.lostAtStop + b.lostAtStop,
    pruned: a.pruned + b.pruned,
    missed: a.missed + b.missed,
    duplicated: a.duplicated + b.duplicated,
    capturedMs: a.capturedMs + b.capturedMs,
  };
}

/** capture.<generation>.json: one start of tcpdump; written only by the agent that started it. */
const recordSchema = v.object({
  version: v.literal(2),
  namespace: v.string(),
  pod: v.string(),
  uid: v.string(),
  generation: count,
  /** Which agent: the name of its Pod. */
  agent: v.string(),
  sandboxId: v.string(),
  interface: v.string(),
  filter: v.optional(v.string()),
  snaplen: v.optional(count),
  fileMegabytes: count,
  /** RFC 3339, for people; nothing is decided by it. */
  startTime: v.string(),
  endTime: v.optional(v.string()),
  /** Why it ended, in tcpdump's or the agent's words. */
  endMessage: v.optional(v.string()),
  /** Milliseconds of the clock of that boot (clock.ts): when it began, and when this was written last. */
  clock: v.object({ bootId: v.string(), startMs: milliseconds, lastMs: milliseconds }),
  /** When the Pod was seen to have ended, by the same clock. */
  podEndedMs: v.optional(milliseconds),
  /** What the interface had carried when this was written last, in packets. */
  interfacePackets: v.optional(count),
  /** Missed before it if the capture before is dead: not known yet, and so not in the totals. */
  missedIfDead: v.optional(count),
  totals: totalsSchema,
  /** Of the generations whose records are gone: those that failed again and again. */
  forgotten: totalsSchema,
});
export type CaptureRecord = v.InferOutput<typeof recordSchema>;

/** A capture that runs writes its record every 15 s; one that did not for so long is dead. */
export const deadAfterMs = 25_000;

/** Whether that capture has ended, or its agent is dead. */
export function isOver({ endTime, clock: { bootId, lastMs } }: CaptureRecord, clock: Clock): boolean {
  return endTime !== undefined || bootId !== clock.bootId || clock.nowMs() - lastMs >= deadAfterMs;
}

/** What all captures of a folder have counted, from its records, oldest first; each capture writes its own alone. */
export function totalsOf(records: readonly CaptureRecord[]): Totals {
  const forgotten = records.at(-1)?.forgotten ?? noTotals;
  return records.reduce((sum, { totals }) => addTotals(sum, totals), forgotten);
}

/** The record of one generation; undefined when it is not there or not readable as one. */
export async function readRecord(folder: string, generation: number): Promise<CaptureRecord | undefined> {
  const text = await readPlainFile(join(folder, recordName(generation)));
  if (text === undefined) return undefined;
  const parsed = v.safeParse(v.pipe(v.string(), v.parseJson(), recordSchema), text);
  return parsed.success && parsed.output.generation === generation ? parsed.output : undefined;
}

/** The records of a folder that can be read, oldest first. */
export async function readRecords(folder: string): Promise<CaptureRecord[]> {
  const generations = (await readdir(folder)).flatMap((name) => parseRecordName(name) ?? []);
  const sorted = generations.toSorted((a, b) => a - b);
  const records = await Promise.all(sorted.map((generation) => readRecord(folder, generation)));
  return records.filter((record) => record !== undefined);
}

/** False if that generation is taken: by another agent, during a rolling update. */
export async function createRecord(folder: string, record: CaptureRecord): Promise<boolean> {
  try {
    await writeFile(join(folder, recordName(record.generation)), serialize(record), { flag: 'wx' });
    return true;
  } catch (error) {
    if (hasCode(error, 'EEXIST')) return false;
    // On a full disk the file is there, and empty.
    await ifExists(unlink(join(folder, recordName(record.generation))));
    throw error;
  }
}

export async function replaceRecord(folder: string, record: CaptureRecord): Promise<void> {
  await replaceFile(join(folder, recordName(record.generation)), serialize(record));
}

/** Records have 1 kB, and a filter at most 2. */
const maxRecordBytes = 65_536;

/**
 * tcpdump's user may write into the folder: a link is not followed, a pipe not waited for, and what is closed to the
 * agent or too large is no record.
 */
async function readPlainFile(path: string): Promise<string | undefined> {
  const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants;
  const opened = await open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK).catch((error: unknown) => {
    if (['ENOENT', 'ELOOP', 'ENXIO', 'EACCES'].some((code) => hasCode(error, code))) return undefined;
    throw error;
  });
  if (!opened) return undefined;
  await using file = opened;
  const about = await file.stat();
  return about.isFile() && about.size <= maxRecordBytes ? await file.readFile('utf8') : undefined;
}

function serialize(record: CaptureRecord): string {
  return `${JSON.stringify(record, undefined, 2)}\n`;
}
