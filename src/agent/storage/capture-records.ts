import { lstat, readdir, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as v from 'valibot';
import type { Clock } from '../../base/clock.ts';
import { hasCode, ifExists } from '../../base/fs-errors.ts';
import type { Pod } from '../../kubernetes/pod.ts';
import { isAgents, readAgentFile } from './agent-files.ts';
import { parseRecordName, podNamePatterns, recordName } from './file-names.ts';
import { replaceFile } from './replace-file.ts';
import type { StartState } from './ring-pruning.ts';

const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const milliseconds = v.pipe(v.number(), v.finite());

/** Counts of packets, over one or more starts of tcpdump. */
const totalsSchema = v.object({
  captured: count,
  /** Dropped by the kernel because tcpdump did not keep up. */
  dropped: count,
  /** Received, and neither in a file nor dropped: still in the kernel at the end, or failed to be written. */
  lostAtStop: count,
  /** Captured, in files deleted since: counted while tcpdump wrote them, or from the packets in those files. */
  pruned: count,
  /** Passed the interface before its first capture, and between captures. */
  missed: count,
  /** Captured by the capture before as well, while this one took over from it. */
  duplicated: v.optional(count, 0),
  /** Counted by the interface but not shown to tcpdump's socket, at least this many; undefined where that is unknown. */
  unseen: v.optional(count),
  /** `unseen` is known only of a part: another part counted in a way that cannot be compared, or not at all. */
  isUnseenPartial: v.optional(v.literal(true)),
  /** For how long packets were captured. */
  capturedMs: v.pipe(milliseconds, v.minValue(0)),
});
/** What one or more starts of tcpdump counted. */
export type Totals = v.InferOutput<typeof totalsSchema>;

export const noTotals: Totals = {
  captured: 0,
  dropped: 0,
  lostAtStop: 0,
  pruned: 0,
  missed: 0,
  duplicated: 0,
  unseen: 0,
  capturedMs: 0,
};

/** `unseen` of totals of which `known` packets are known. An unknown count is never 0, and a sum never forgets one. Pure. */
export function unseenTotals(known: number, isPartial: boolean): Pick<Totals, 'unseen' | 'isUnseenPartial'> {
  if (!isPartial) return { unseen: known };
  return known === 0 ? { unseen: undefined } : { unseen: known, isUnseenPartial: true };
}

/** Whether some unseen packets of these totals may not be counted. */
export function hasUnknownUnseen({ unseen, isUnseenPartial }: Totals): boolean {
  return unseen === undefined || isUnseenPartial === true;
}

/** The sum of both, count by count. */
export function addTotals(a: Totals, b: Totals): Totals {
  return {
    captured: a.captured + b.captured,
    dropped: a.dropped + b.dropped,
    lostAtStop: a.lostAtStop + b.lostAtStop,
    pruned: a.pruned + b.pruned,
    missed: a.missed + b.missed,
    duplicated: a.duplicated + b.duplicated,
    ...unseenTotals((a.unseen ?? 0) + (b.unseen ?? 0), hasUnknownUnseen(a) || hasUnknownUnseen(b)),
    capturedMs: a.capturedMs + b.capturedMs,
  };
}

/**
 * capture.<generation>.json: one start of tcpdump. Only the agent that started it writes the record; when that one is dead,
 * the next one writes once what the files have (dead-captures.ts).
 */
const recordSchema = v.object({
  version: v.literal(2),
  namespace: v.pipe(v.string(), v.regex(podNamePatterns.namespace)),
  pod: v.pipe(v.string(), v.regex(podNamePatterns.pod)),
  uid: v.pipe(v.string(), v.regex(podNamePatterns.uid)),
  generation: count,
  /** Which agent: the name of its Pod. */
  agent: v.string(),
  node: v.optional(v.string()),
  sandboxId: v.string(),
  /** The Pod's IP addresses, as the CNI cache has them. */
  addresses: v.optional(v.array(v.string())),
  interface: v.string(),
  /** By which the kernel knows the interface, whatever its name is; undefined before it was captured. */
  interfaceIndex: v.optional(count),
  filter: v.optional(v.string()),
  snaplen: v.optional(count),
  fileMegabytes: count,
  /** RFC 3339, only for people: no decision depends on it. */
  startTime: v.pipe(v.string(), v.isoTimestamp()),
  endTime: v.optional(v.pipe(v.string(), v.isoTimestamp())),
  /** Why it ended, in tcpdump's or the agent's words. */
  endMessage: v.optional(v.string()),
  /** In milliseconds of the clock of that boot (clock.ts): when it started, and when the record was last written. */
  clock: v.object({ bootId: v.string(), startMs: milliseconds, lastMs: milliseconds }),
  /** How many packets the interface had counted when the record was last written. */
  interfacePackets: v.optional(count),
  /** Packets missed before it if the capture before is dead: that is not known yet, so they are not in the totals. */
  missedIfDead: v.optional(count),
  totals: totalsSchema,
  /** Its files when the record was last written: how many tcpdump had started, and the packets in those before the newest. */
  files: v.optional(
    v.object({
      started: count,
      packets: count,
      /** How many of its packets were in files that had been deleted by then. */
      pruned: count,
    }),
  ),
  /** Its agent died, and its packets were counted in its files: `unknown` if that does not say how many it captured. */
  recount: v.optional(v.picklist(['done', 'unknown'])),
  /** What the generations counted whose records were deleted: those that failed repeatedly. */
  forgotten: totalsSchema,
});
/** The record of one start of tcpdump. */
export type CaptureRecord = v.InferOutput<typeof recordSchema>;

/** What is known of a capture before it starts. */
export type CaptureParameters = Pick<
  CaptureRecord,
  'agent' | 'node' | 'sandboxId' | 'addresses' | 'interface' | 'filter' | 'snaplen' | 'fileMegabytes'
>;

export type NewRecordOptions = {
  readonly pod: Pick<Pod, 'namespace' | 'name' | 'uid'>;
  readonly generation: number;
  readonly parameters: CaptureParameters;
  readonly forgotten: Totals;
  readonly clock: Clock;
};

/** The record of a capture that starts now. It has counted nothing yet. */
export function newRecord({
  pod,
  generation,
  parameters,
  forgotten,
  clock,
}: NewRecordOptions): CaptureRecord {
  const startMs = clock.nowMs();
  return {
    version: 2,
    namespace: pod.namespace,
    pod: pod.name,
    uid: pod.uid,
    generation,
    ...parameters,
    startTime: new Date().toISOString(),
    clock: { bootId: clock.bootId, startMs, lastMs: startMs },
    totals: noTotals,
    files: { started: 0, packets: 0, pruned: 0 },
    forgotten,
  };
}

/** A running capture writes its record every 15 s: one that has not for this long is dead. */
export const deadAfterMs = 25_000;

/** Whether that capture has ended, or its agent is dead. */
export function isOver({ endTime, clock: { bootId, lastMs } }: CaptureRecord, clock: Clock): boolean {
  return endTime !== undefined || bootId !== clock.bootId || clock.nowMs() - lastMs >= deadAfterMs;
}

/** Whether it may have captured more than the record says, if its agent is dead: nobody has looked into its files yet. */
export function awaitsRecount({ endTime, recount }: CaptureRecord): boolean {
  return endTime === undefined && recount === undefined;
}

/**
 * What all captures of a folder counted, from its records, oldest first: each record has the counts of its capture. A
 * time at which several captured, of several interfaces for example, counts once.
 */
export function totalsOf(records: readonly CaptureRecord[]): Totals {
  const forgotten = records.at(-1)?.forgotten ?? noTotals;
  const sum = records.reduce((before, { totals }) => addTotals(before, totals), forgotten);
  return { ...sum, capturedMs: forgotten.capturedMs + capturedMsOf(records) };
}

/** For how long any of them captured. Each start takes as long to listen: its record is as good as that moment. */
function capturedMsOf(records: readonly CaptureRecord[]): number {
  let capturedMs = 0;
  for (const ofBoot of Map.groupBy(records, ({ clock }) => clock.bootId).values()) {
    let coveredToMs = Number.NEGATIVE_INFINITY;
    for (const { clock, totals } of ofBoot.toSorted((a, b) => a.clock.startMs - b.clock.startMs)) {
      const endMs = clock.startMs + totals.capturedMs;
      capturedMs += Math.max(0, endMs - Math.max(clock.startMs, coveredToMs));
      coveredToMs = Math.max(coveredToMs, endMs);
    }
  }
  return capturedMs;
}

/** The record of one generation; undefined if there is none, or if what is there is no valid record of an agent. */
export async function readRecord(folder: string, generation: number): Promise<CaptureRecord | undefined> {
  const text = await readAgentFile(folder, recordName(generation));
  if (text === undefined) return undefined;
  const parsed = v.safeParse(v.pipe(v.string(), v.parseJson(), recordSchema), text);
  return parsed.success && parsed.output.generation === generation ? parsed.output : undefined;
}

/**
 * The generations that an agent started: those whose record is its own, even if it is not valid. tcpdump's user can
 * make files of any generation, and records too.
 */
export async function startedGenerations(folder: string): Promise<ReadonlySet<number>> {
  const { uid: ownerId } = await lstat(folder);
  const started = new Set<number>();
  for (const name of await readdir(folder)) {
    const generation = parseRecordName(name);
    const stats = generation !== undefined && (await ifExists(lstat(join(folder, name))));
    if (stats && isAgents(stats.uid, ownerId)) started.add(generation);
  }
  return started;
}

/** What is known of one start, with the interface that it captured; undefined if its record cannot be read. */
export type RecordedStart = StartState & {
  readonly interface: string | undefined;
  /** If it does not run, its packets are to be counted before its files are deleted. */
  readonly awaitsRecount: boolean;
};

/**
 * What is known of the start of that generation; undefined if no agent started it. `isRunning` tells of its record whether
 * its capture may still run.
 */
export async function readStart(
  folder: string,
  generation: number,
  { clock, isRunning }: { readonly clock: Clock; readonly isRunning: (record: CaptureRecord) => boolean },
): Promise<RecordedStart | undefined> {
  const record = await readRecord(folder, generation);
  if (!record) {
    // One generation costs one look, however many there are: tcpdump's user can make files of any.
    const [stats, owner] = [
      await ifExists(lstat(join(folder, recordName(generation)))),
      await ifExists(lstat(folder)),
    ];
    const isStarted = stats !== undefined && owner !== undefined && isAgents(stats.uid, owner.uid);
    if (!isStarted) return undefined;
    return { interface: undefined, awaitsRecount: false, isRunning: false, hasListened: false, ...longAgo };
  }
  return {
    interface: record.interface,
    awaitsRecount: awaitsRecount(record),
    isRunning: isRunning(record),
    hasListened: record.interfacePackets !== undefined || record.totals.capturedMs > 0,
    ...lifeOf(record, clock),
  };
}

/** In an earlier boot, or at an unknown time. */
const longAgo = { lastMs: Number.NEGATIVE_INFINITY, latestEndMs: Number.NEGATIVE_INFINITY };

/** The record of a capture that has just ended can still be the one from while it ran. */
function lifeOf(
  { endTime, clock: { bootId, lastMs } }: CaptureRecord,
  clock: Clock,
): Pick<StartState, 'lastMs' | 'latestEndMs'> {
  if (bootId !== clock.bootId) return longAgo;
  return { lastMs, latestEndMs: endTime === undefined ? lastMs + deadAfterMs : lastMs };
}

/** tcpdump's user can make any number of records: this many are open at a time. */
const recordsAtOnce = 16;

/** All valid records of a folder, oldest first. */
export async function readRecords(folder: string): Promise<CaptureRecord[]> {
  const generations = (await readdir(folder)).flatMap((name) => parseRecordName(name) ?? []);
  const sorted = generations.toSorted((a, b) => a - b);
  const records: CaptureRecord[] = [];
  for (let at = 0; at < sorted.length; at += recordsAtOnce) {
    const some = sorted.slice(at, at + recordsAtOnce);
    const read = await Promise.all(some.map((generation) => readRecord(folder, generation)));
    records.push(...read.filter((record) => record !== undefined));
  }
  return records;
}

/** Returns false if another agent has taken that generation, during a rolling update. */
export async function createRecord(folder: string, record: CaptureRecord): Promise<boolean> {
  try {
    await writeFile(join(folder, recordName(record.generation)), serialize(record), { flag: 'wx' });
    return true;
  } catch (error) {
    if (hasCode(error, 'EEXIST')) return false;
    // On a full disk the file exists, and is empty.
    await ifExists(unlink(join(folder, recordName(record.generation))));
    throw error;
  }
}

/** Replaces the record of its generation; a reader sees the old or the new one. */
export async function replaceRecord(folder: string, record: CaptureRecord): Promise<void> {
  await replaceFile(join(folder, recordName(record.generation)), serialize(record));
}

function serialize(record: CaptureRecord): string {
  return `${JSON.stringify(record, undefined, 2)}\n`;
}
