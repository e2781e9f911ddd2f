import { readdir, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../base/clock.ts';
import { ifExists } from '../../base/fs-errors.ts';
import { type SerialQueue, serialQueue } from '../../base/serial-queue.ts';
import type { Pod } from '../../kubernetes/pod.ts';
import {
  addTotals,
  type CaptureParameters,
  type CaptureRecord,
  createRecord,
  isOver,
  newRecord,
  noTotals,
  type RecordedStart,
  readRecord,
  readRecords,
  readStart,
  startedGenerations,
  type Totals,
  totalsOf,
} from './capture-records.ts';
import { countDuplicates } from './count-duplicates.ts';
import type { DeadCaptures } from './dead-captures.ts';
import { parseRingFile, recordName, ringFileBase } from './file-names.ts';
import { ringOf } from './pod-rings.ts';
import type { RecordWriter } from './record-writer.ts';
import { listRingFiles } from './ring-files.ts';

/** One Pod's folder, for the recording that fills it. */
export type CaptureFolder = {
  readonly path: string;
  /**
   * Takes the next generation, for one start of tcpdump, and writes capture.<generation>.json. `interfaces` are all that
   * are captured, each into a ring of its own; by default this one alone.
   */
  readonly createGeneration: (
    parameters: CaptureParameters,
    interfaces?: readonly string[],
  ) => Promise<Generation>;
  /** What all captures of the folder counted, also those of other agents. Never rejects. */
  readonly totals: () => Promise<Totals>;
  /** Those of these generations that an agent started, and whether they still run. */
  readonly starts: (generations: ReadonlySet<number>) => Promise<ReadonlyMap<number, RecordedStart>>;
  /** The agent of that capture is dead: its packets are counted, unless they have been. Never rejects. */
  readonly countDead: (generation: number) => Promise<void>;
  /** Calls back once, within seconds, when somebody deletes the folder; not after it is disposed of. */
  readonly onDeleted: (callback: () => void) => Disposable;
  /** The ring of all generations up to this one is being frozen; 0: of none. */
  readonly frozenUpTo: () => Promise<number>;
};

/** One start of tcpdump. */
export type Generation = PrecedingCaptures & {
  readonly number: number;
  /** The same for the interface that it has turned out to capture. */
  readonly precedingOn: (captured: Pick<CaptureRecord, 'interfaceIndex'>) => PrecedingCaptures;
  /** Path of the capture files without their index. */
  readonly file: string;
  /**
   * How many packets the files of this generation and of `before` both have. Undefined while `before` runs, and for
   * `afterMs` more: until both have written what they share.
   */
  readonly duplicated: (afterMs: number) => Promise<number | undefined>;
  /** Writes to the record what is known by now. */
  readonly note: (known: Partial<CaptureProgress>) => Promise<void>;
};

/** What the generations before counted. */
export type PrecedingCaptures = {
  /** The newest record before this one, of the same sandbox and interface: where a gap starts. */
  readonly before: CaptureRecord | undefined;
  /**
   * The newest record of this ring before this one, of another sandbox or interface, if it does not know yet what it
   * missed.
   */
  readonly unsettled: CaptureRecord | undefined;
  /** The sum over all generations before. */
  readonly earlier: Totals;
};

type CaptureProgress = Pick<
  CaptureRecord,
  'endTime' | 'endMessage' | 'interfaceIndex' | 'interfacePackets' | 'missedIfDead' | 'totals' | 'files'
>;

export type CaptureFolderOptions = {
  readonly path: string;
  readonly pod: Pick<Pod, 'namespace' | 'name' | 'uid'>;
  readonly clock: Clock;
  /** Comparing files takes memory: one folder at a time. */
  readonly compareQueue: SerialQueue;
  /** Of this folder, for all recordings that fill it. */
  readonly writer: RecordWriter;
  readonly dead: DeadCaptures;
  /** Makes the folder if it does not exist: somebody may have deleted it. */
  readonly makeFolder: () => Promise<void>;
  readonly onDeleted: CaptureFolder['onDeleted'];
  readonly frozenUpTo: CaptureFolder['frozenUpTo'];
};

/** Records without files are folded into `forgotten`; this many of the newest stay for people to read. */
const emptyRecordsKept = 20;

/** The folder at that path, which `makeFolder` has made. */
export function captureFolder(options: CaptureFolderOptions): CaptureFolder {
  const { path, pod, clock, writer, dead, makeFolder, onDeleted, frozenUpTo } = options;
  /** Those that this folder's recorder has started, and whose end is not noted yet. */
  const ownRunning = new Set<number>();
  /** What one start forgets of the records, the next one reads in its record. */
  const starting = serialQueue();
  let ownAgent: string | undefined;
  const isRunning = (record: CaptureRecord) => {
    if (record.endTime !== undefined) return false;
    // However old its record is: the agent can have been stopped for a while, or the disk full.
    if (ownRunning.has(record.generation)) return true;
    // Otherwise an earlier process of the same name has started it, and is gone.
    return record.agent !== ownAgent && !isOver(record, clock);
  };
  return {
    path,
    onDeleted,
    frozenUpTo,
    countDead: dead.count,
    async totals() {
      const records = await readRecords(path).catch(() => []);
      return totalsOf(writer.withUnwritten(records));
    },
    async starts(generations) {
      const states = new Map<number, RecordedStart>();
      for (const generation of generations) {
        const state = await readStart(path, generation, { clock, isRunning });
        if (state) states.set(generation, state);
      }
      return states;
    },
    createGeneration: (parameters, interfaces = [parameters.interface]) =>
      starting(async () => {
        await makeFolder();
        await writer.retry();
        const records = await readRecords(path);
        const forgotten = await forgetOldRecords(path, records, clock);
        const next = newRecord({
          pod,
          generation: Math.max(0, ...(await startedGenerations(path))) + 1,
          parameters,
          forgotten: addTotals(records.at(-1)?.forgotten ?? noTotals, forgotten),
          clock,
        });
        const record = await createNext(path, next);
        ownAgent = parameters.agent;
        ownRunning.add(record.generation);
        dead.ours.add(record.generation);
        const onEnd = () => {
          ownRunning.delete(record.generation);
          dead.ours.delete(record.generation);
        };
        return startedGeneration(options, { record, records, interfaces, onEnd });
      }),
  };
}

function startedGeneration(
  { path, pod, clock, compareQueue, writer }: CaptureFolderOptions,
  started: {
    readonly record: CaptureRecord;
    readonly records: readonly CaptureRecord[];
    readonly interfaces: readonly string[];
    readonly onEnd: () => void;
  },
): Generation {
  let { record } = started;
  const preceding = precedingCaptures(started, record);
  const { before } = preceding;
  return {
    ...preceding,
    precedingOn: ({ interfaceIndex }) => precedingCaptures(started, { ...record, interfaceIndex }),
    number: record.generation,
    file: join(path, ringFileBase(pod.name, record.generation)),
    async duplicated(afterMs) {
      const other = before && (await readRecord(path, before.generation));
      if (!other) return 0;
      if (!isOver(other, clock) || endedWithin(afterMs, other, clock)) return undefined;
      const { namespace, uid } = pod;
      const both = [other.generation, record.generation];
      return await compareQueue(() => countDuplicates(path, { namespace, pod: pod.name, uid }, both));
    },
    async note(known) {
      record = { ...record, ...known, clock: { ...record.clock, lastMs: clock.nowMs() } };
      try {
        await writer.write(record);
      } finally {
        if (record.endTime !== undefined) started.onEnd();
      }
    },
  };
}

function precedingCaptures(
  {
    records,
    interfaces,
  }: { readonly records: readonly CaptureRecord[]; readonly interfaces: readonly string[] },
  record: CaptureRecord,
): PrecedingCaptures {
  // A capture that never listened knows nothing of the interface.
  const captured = records.filter(
    (other) =>
      other.interfacePackets !== undefined &&
      ringOf(other.interface, interfaces) === ringOf(record.interface, interfaces),
  );
  const before = captured.findLast((other) => isSameInterface(other, record));
  const newest = captured.at(-1);
  const isUnsettled = newest !== before && newest?.endTime === undefined && (newest?.missedIfDead ?? 0) > 0;
  return { before, unsettled: isUnsettled ? newest : undefined, earlier: totalsOf(records) };
}

/**
 * Takes the next free number: during a rolling update, another agent may take one at the same moment. A number that
 * files have is not free, because a record can be lost, and no file may be overwritten.
 */
async function createNext(path: string, record: CaptureRecord): Promise<CaptureRecord> {
  const taken = new Set((await listRingFiles(path)).map(({ generation }) => generation));
  for (let { generation } = record; ; generation += 1) {
    const next = { ...record, generation };
    if (!taken.has(generation) && (await createRecord(path, next))) return next;
  }
}

function endedWithin(ms: number, { clock: { bootId, lastMs } }: CaptureRecord, clock: Clock): boolean {
  return bootId === clock.bootId && clock.nowMs() - lastMs < ms;
}

function isSameInterface(a: CaptureRecord, b: CaptureRecord): boolean {
  return (
    a.sandboxId === b.sandboxId &&
    a.interface === b.interface &&
    a.clock.bootId === b.clock.bootId &&
    !isOtherInterface(a, b)
  );
}

/** Whether two captures of the same name are of different interfaces: one was renamed or deleted in between. Pure. */
export function isOtherInterface(
  a: Pick<CaptureRecord, 'interfaceIndex'>,
  b: Pick<CaptureRecord, 'interfaceIndex'>,
): boolean {
  const [indexA, indexB] = [a.interfaceIndex, b.interfaceIndex];
  return indexA !== undefined && indexB !== undefined && indexA !== indexB;
}

/**
 * Deletes records without files: a tcpdump that fails repeatedly would fill the folder with them. Returns what they
 * counted.
 */
async function forgetOldRecords(
  path: string,
  records: readonly CaptureRecord[],
  clock: Clock,
): Promise<Totals> {
  const withFiles = new Set((await readdir(path)).map((name) => parseRingFile(name)?.generation));
  const empty = records.filter((record) => isOver(record, clock) && !withFiles.has(record.generation));
  let forgotten = noTotals;
  for (const { generation, totals } of empty.slice(0, -emptyRecordsKept)) {
    const isDeletedHere = await ifExists(unlink(join(path, recordName(generation))).then(() => true));
    if (isDeletedHere) forgotten = addTotals(forgotten, totals);
  }
  return forgotten;
}
