import { readdir, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../base/clock.ts';
import { ifExists } from '../../base/fs-errors.ts';
import { type SerialQueue, inTurn as takeTurns } from '../../base/serial-queue.ts';
import type { Pod } from '../../kubernetes/pod.ts';
import {
  addTotals,
  type CaptureRecord,
  createRecord,
  isOver,
  noTotals,
  readRecord,
  readRecords,
  replaceRecord,
  type Totals,
  totalsOf,
} from './capture-records.ts';
import { countDuplicates } from './count-duplicates.ts';
import { parseRecordName, parseRingFile, recordName, ringFileBase } from './file-names.ts';

/** One Pod's folder, for the recorder that fills it. */
export type CaptureFolder = {
  readonly path: string;
  /** Takes the next generation, for one start of tcpdump, and writes capture.<generation>.json. */
  readonly begin: (what: CaptureWhat) => Promise<Generation>;
  /** Calls back once, within seconds, when somebody has taken the folder away, until it is disposed of. */
  readonly onGone: (gone: () => void) => Disposable;
};

/** What is known of a capture before it begins. */
export type CaptureWhat = Pick<
  CaptureRecord,
  'agent' | 'sandboxId' | 'interface' | 'filter' | 'snaplen' | 'fileMegabytes'
>;

/** One start of tcpdump. */
export type Generation = {
  readonly number: number;
  /** Path of the capture files without their index. */
  readonly file: string;
  /** The newest record before this one, of the same sandbox and interface: where a gap began. */
  readonly before: CaptureRecord | undefined;
  /** The newest record before this one, of another sandbox or interface, if it does not know what it missed yet. */
  readonly unsettled: CaptureRecord | undefined;
  /** Of all generations before. */
  readonly earlier: Totals;
  /**
   * How many packets stand in the files of this generation and of the one before; undefined while that one runs, and
   * for `afterMs` more: until what both have is written.
   */
  readonly duplicated: (afterMs: number) => Promise<number | undefined>;
  /** Writes what is known by now. */
  readonly note: (
    known: Partial<
      Pick<CaptureRecord, 'endTime' | 'endMessage' | 'interfacePackets' | 'missedIfDead' | 'totals'>
    >,
  ) => Promise<void>;
};

/** Records without files are folded into `forgotten`; so many of the newest stay for people to read. */
const emptyRecordsKept = 20;

export function captureFolder(options: {
  readonly path: string;
  readonly pod: Pick<Pod, 'namespace' | 'name' | 'uid'>;
  readonly clock: Clock;
  /** Comparing files takes memory: one folder at a time. */
  readonly inTurn: SerialQueue;
  /** Makes the folder where it is not there: somebody may have deleted it. */
  readonly make: () => Promise<void>;
  readonly onGone: CaptureFolder['onGone'];
}): CaptureFolder {
  const { path, pod, clock, inTurn, make, onGone } = options;
  /** What the disk did not take: written before anything is begun, so that nothing is counted from an old record. */
  const unwritten = new Map<number, CaptureRecord>();
  const writing = takeTurns();

  async function write(record: CaptureRecord): Promise<void> {
    unwritten.set(record.generation, record);
    await writing(async () => {
      // A newer one has everything of it.
      if (unwritten.get(record.generation) !== record) return;
      await replaceRecord(path, record);
      unwritten.delete(record.generation);
    });
  }

  async function begin(what: CaptureWhat): Promise<Generation> {
    await make();
    for (const record of unwritten.values()) await write(record);
    const records = await readRecords(path);
    const forgotten = await forgetOldRecords(path, records, clock);
    const startMs = clock.nowMs();
    let record = await createNext(path, {
      version: 2,
      namespace: pod.namespace,
      pod: pod.name,
      uid: pod.uid,
      generation: (await lastGeneration(path)) + 1,
      ...what,
      startTime: new Date().toISOString(),
      clock: { bootId: clock.bootId, startMs, lastMs: startMs },
      totals: noTotals,
      forgotten: addTotals(records.at(-1)?.forgotten ?? noTotals, forgotten),
    });
    // One that never captured knows nothing of the interface.
    const captured = records.filter(({ interfacePackets }) => interfacePackets !== undefined);
    const before = captured.findLast((other) => isSameInterface(other, record));
    const newest = captured.at(-1);
    const isUnsettled = newest !== before && newest?.endTime === undefined && (newest?.missedIfDead ?? 0) > 0;
    return {
      number: record.generation,
      file: join(path, ringFileBase(pod.name, record.generation)),
      before,
      unsettled: isUnsettled ? newest : undefined,
      earlier: totalsOf(records),
      async duplicated(afterMs) {
        const other = before && (await readRecord(path, before.generation));
        if (!other) return 0;
        if (!isOver(other, clock) || endedWithin(afterMs, other, clock)) return undefined;
        const { namespace, uid } = pod;
        const both = [other.generation, record.generation];
        return await inTurn(() => countDuplicates(path, { namespace, pod: pod.name, uid }, both));
      },
      async note(known) {
        record = { ...record, ...known, clock: { ...record.clock, lastMs: clock.nowMs() } };
        await write(record);
      },
    };
  }

  return { path, begin, onGone };
}

/** With the next number that is free: another agent may take one at the same moment, during a rolling update. */
async function createNext(path: string, record: CaptureRecord): Promise<CaptureRecord> {
  if (await createRecord(path, record)) return record;
  return await createNext(path, { ...record, generation: record.generation + 1 });
}

function endedWithin(ms: number, { clock: { bootId, lastMs } }: CaptureRecord, clock: Clock): boolean {
  return bootId === clock.bootId && clock.nowMs() - lastMs < ms;
}

function isSameInterface(a: CaptureRecord, b: CaptureRecord): boolean {
  return a.sandboxId === b.sandboxId && a.interface === b.interface && a.clock.bootId === b.clock.bootId;
}

/** Files count too: a record can be lost, and no file is ever written twice. */
async function lastGeneration(path: string): Promise<number> {
  const generations = (await readdir(path)).map(
    (name) => parseRecordName(name) ?? parseRingFile(name)?.generation ?? 0,
  );
  return Math.max(0, ...generations);
}

/** A tcpdump that fails again and again would fill the folder with records otherwise. Gives back what those counted. */
async function forgetOldRecords(
  path: string,
  records: readonly CaptureRecord[],
  clock: Clock,
): Promise<Totals> {
  const withFiles = new Set((await readdir(path)).map((name) => parseRingFile(name)?.generation));
  const empty = records.filter((record) => isOver(record, clock) && !withFiles.has(record.generation));
  let forgotten = noTotals;
  for (const { generation, totals } of empty.slice(0, -emptyRecordsKept)) {
    const isOurs = await ifExists(unlink(join(path, recordName(generation))).then(() => true));
    if (isOurs) forgotten = addTotals(forgotten, totals);
  }
  return forgotten;
}
