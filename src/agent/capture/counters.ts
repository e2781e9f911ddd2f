import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import { serialQueue } from '../../base/serial-queue.ts';
import type { MissedBefore } from '../observability/recording-report.ts';
import type { TcpdumpSpec } from '../planner/annotations.ts';
import { noTotals, type Totals } from '../storage/capture-records.ts';
import { type CaptureFolder, type Generation, isOtherInterface } from '../storage/generations.ts';
import type { LeftoverPruning } from '../storage/prune-leftovers.ts';
import { askForStatistics, askReceived } from './ask-statistics.ts';
import {
  type CaptureReadings,
  captureEnd,
  captureTotals,
  interfacePacketsAtEnd,
  noReadings,
} from './capture-totals.ts';
import {
  type InterfaceReader,
  type InterfaceReading,
  interfaceReader,
  passedPackets,
} from './interface-counters.ts';
import { gapBefore, missedBefore, noGap, settleGap } from './missed-packets.ts';
import { type CounterSample, isStalled } from './stall-detection.ts';
import type { Ending, Tcpdump } from './tcpdump.ts';
import type { TcpdumpFiles } from './tcpdump-files.ts';
import type { FilesStarted } from './tcpdump-output.ts';
import { openUnseenCounter, type UnseenCounter, type UnseenSample } from './unseen-counter.ts';

/** One capture's packet counters, in memory and in its record on disk: every packet is in a file or in a counter. */
export type CaptureCounters = {
  readonly totals: () => Totals;
  /** The same, with what tcpdump says now; it is not waited for longer than its own deadline. Never rejects. */
  readonly freshTotals: () => Promise<Totals>;
  /** When it started to capture, by performance.now(); undefined before. */
  readonly listeningMs: () => number | undefined;
  /** Since when it has received nothing, by performance.now(), to the next count; undefined before it captures. */
  readonly silentSinceMs: () => number | undefined;
  /** The capture is listening. */
  readonly start: () => Promise<CaptureStart>;
  /** Reads the interface's counters: possible only while tcpdump runs. */
  readonly countInterfacePackets: () => Promise<void>;
  /** Counts what passed unseen until now, for at most that long: possible only while tcpdump runs. */
  readonly countUnseenWithin: (ms: number) => Promise<void>;
  /** The same when tcpdump cannot write and stops receiving; does nothing if its statistics give the same number. */
  readonly countInterfacePacketsAtFailure: () => Promise<void>;
  /** After close(): that many more packets were pruned. */
  readonly addPruned: (packets: number) => Promise<void>;
  /** tcpdump has ended: stops counting and writes the final totals. */
  readonly close: (ending: Ending) => Promise<void>;
};

export type CaptureStart = {
  readonly missedBefore: MissedBefore;
  /** Another interface of that name was captured before, in the same sandbox. */
  readonly isOtherInterface: boolean;
};

export type CaptureCountersOptions = {
  readonly folder: Pick<CaptureFolder, 'path'>;
  readonly generation: Generation;
  readonly tcpdump: Tcpdump;
  readonly files: TcpdumpFiles;
  readonly pruning: Pick<LeftoverPruning, 'takePruned' | 'prunedOf' | 'settled'>;
  readonly spec: Pick<TcpdumpSpec, 'interface' | 'filter'>;
  /**
   * Whether another capture of the same interface runs, asked when this one has started to capture: then nothing is
   * missed in between.
   */
  readonly overlaps: () => boolean;
  /** Whether the interface counts the same packets as a socket gets; undefined if that cannot be found out now. */
  readonly countsAsSockets: () => Promise<boolean | undefined>;
  /** The totals have changed; `isStalled` if packets pass and are not stored, or tcpdump does not answer. */
  readonly onCount: (isStalled: boolean) => void;
  /** How many packets were missed before is known only now. */
  readonly onGapSettled: (missedBefore: MissedBefore) => void;
  /** tcpdump has not answered twice in a row. */
  readonly onSilence: () => void;
  readonly log: Logger;
};

const countEveryMs = 15_000;
/**
 * What an interface has counted is in the files this much later: the kernel retires a block of its ring after a second
 * at most, and the preload library writes a ring that fills within a second once a second.
 */
const writtenAfterMs = 3_000;
/** The ring may delete duplicates: the two captures are compared soon after the earlier one has ended. */
const compareEveryMs = 1_000;

/** Counts the packets of one capture until close(). */
export function openCounters(options: CaptureCountersOptions): CaptureCounters {
  const { spec, tcpdump, pruning, countsAsSockets, log } = options;
  const reader = interfaceReader(tcpdump, spec.interface);
  const state: CountersState = {
    ...options,
    receivesAll: spec.filter === undefined && spec.interface !== 'lo',
    reader,
    unseen: openUnseenCounter({ reader, askReceived: () => askReceived(tcpdump), countsAsSockets }),
    readings: noReadings,
    totals: noTotals,
    listeningMs: undefined,
    silentSinceMs: undefined,
    isTakeover: false,
    isFirst: false,
    writtenInterfacePackets: undefined,
    sample: undefined,
    unanswered: 0,
  };
  let timers: Disposable | undefined;
  /** A tcpdump that does not answer is asked once, however many want to know. */
  let asking: Promise<Totals> | undefined;
  const queue = serialQueue();
  const enqueue: Enqueue = (work) =>
    queue(work).catch((error: unknown) => log.warn({ err: error }, 'failed to count packets'));

  return {
    totals: () => state.totals,
    freshTotals: async () => await (asking ??= freshTotals(state).finally(() => (asking = undefined))),
    listeningMs: () => state.listeningMs,
    silentSinceMs: () => state.silentSinceMs,
    async start() {
      const { start, interfaceAtStart } = await startCounting(state);
      void enqueue(() => readReceivedAtStart(state, interfaceAtStart));
      timers = startTimers(state, enqueue);
      return start;
    },
    async countInterfacePackets() {
      await countInterfacePackets(state);
    },
    async countInterfacePacketsAtFailure() {
      if (!state.receivesAll) await countInterfacePackets(state);
    },
    countUnseenWithin: (ms) => Promise.race([enqueue(() => countUnseen(state)), sleep(ms)]),
    async addPruned(packets) {
      const { byAgent, byTcpdump } = state.readings.pruned;
      update(state, { pruned: { byAgent: byAgent + packets, byTcpdump } });
      state.totals = { ...state.totals, pruned: state.totals.pruned + packets };
      await state.generation
        .note({ totals: state.totals })
        .catch((error: unknown) => log.warn({ err: error }, 'failed to write the capture record'));
    },
    async close(ending) {
      timers?.[Symbol.dispose]();
      await enqueue(() => compare(state, 0));
      // tcpdump's last files push out old ones.
      await pruning.settled();
      await countAtEnd(state, ending);
      options.onCount(false);
    },
  };
}

/** Runs one piece of work after the other, and logs errors. */
type Enqueue = (work: () => Promise<void>) => Promise<void>;

/** Everything that changes while a capture runs; only the functions below write here. */
type CountersState = CaptureCountersOptions & {
  /**
   * Whether tcpdump receives all packets of the interface: then what it received is the interface's count, to the
   * packet. With a filter it does not, and lo counts each packet twice.
   */
  readonly receivesAll: boolean;
  readonly reader: InterfaceReader;
  readonly unseen: UnseenCounter;
  readings: CaptureReadings;
  totals: Totals;
  listeningMs: number | undefined;
  silentSinceMs: number | undefined;
  /** Another capture of the same interface ran when it started. */
  isTakeover: boolean;
  /** No capture of its interface is before it. */
  isFirst: boolean;
  /** What the interface had counted at a moment whose packets are in the files. */
  writtenInterfacePackets: number | undefined;
  /** The previous sample of the stall detection. */
  sample: CounterSample | undefined;
  /** How many times in a row tcpdump has not answered. */
  unanswered: number;
};

function update(state: CountersState, readings: Partial<CaptureReadings>): void {
  state.readings = { ...state.readings, ...readings };
}

async function startCounting(
  state: CountersState,
): Promise<{ readonly start: CaptureStart; readonly interfaceAtStart: InterfaceReading | undefined }> {
  state.listeningMs = performance.now();
  state.silentSinceMs = state.listeningMs;
  const { generation, tcpdump } = state;
  const interfaceAtStart = await countInterfacePackets(state);
  const { interfacePackets } = state.readings;
  const captured = { interfaceIndex: tcpdump.capturedInterface()?.index };
  const isOther = generation.before !== undefined && isOtherInterface(generation.before, captured);
  const preceding = generation.precedingOn(captured);
  state.isTakeover = state.overlaps() && !isOther;
  state.isFirst = !state.isTakeover && !preceding.before && !preceding.unsettled;
  const gap = gapBefore(preceding, interfacePackets);
  state.writtenInterfacePackets = interfacePackets;
  update(state, { interfacePacketsAtStart: interfacePackets, gap });
  await updateTotals(state);
  state.onCount(false);
  const missed = missedAtStart(state);
  return { start: { missedBefore: missed, isOtherInterface: isOther }, interfaceAtStart };
}

/** One that is replaced while it runs has captured everything until now, unless its end shows something else. */
function missedAtStart({ readings: { gap }, isTakeover, isFirst }: CountersState): MissedBefore {
  const expected = isTakeover && gap.kind === 'unknown' ? noGap : gap;
  return missedBefore(expected, { isFirst, isSettled: false });
}

/** It was reported so at the start. */
function isExpectedGap({ readings: { gap }, isTakeover }: CountersState): boolean {
  return isTakeover && gap.kind === 'known' && gap.missed === 0;
}

/** Counts and compares regularly until it is disposed of. */
function startTimers(state: CountersState, enqueue: Enqueue): Disposable {
  let delayed: NodeJS.Timeout | undefined;
  /** Every number is of a moment whose packets are in the files, in case tcpdump or the agent is killed right after. */
  async function countWhenWritten(): Promise<void> {
    const reading = await state.reader.read();
    if (state.tcpdump.hasEnded()) return;
    delayed = setTimeout(() => void enqueue(() => count(state, reading)), writtenAfterMs);
  }
  async function compareOnce(): Promise<void> {
    await compare(state, writtenAfterMs);
    if (state.readings.duplicated !== undefined) clearInterval(comparing);
  }
  const counting = setInterval(() => void countWhenWritten(), countEveryMs);
  const comparing = setInterval(() => void enqueue(compareOnce), compareEveryMs);
  return {
    [Symbol.dispose]() {
      clearInterval(counting);
      clearTimeout(delayed);
      clearInterval(comparing);
    },
  };
}

async function countInterfacePackets(state: CountersState): Promise<InterfaceReading | undefined> {
  // Before it listens, the process can still be in the agent's own network namespace.
  if (state.listeningMs === undefined || state.tcpdump.hasEnded()) return undefined;
  const reading = await state.reader.read();
  if (reading) update(state, { interfacePackets: passedPackets(reading) });
  return reading;
}

/** tcpdump listens before its interface is read: what it has received until then is in both counts. */
async function readReceivedAtStart(
  state: CountersState,
  before: InterfaceReading | undefined,
): Promise<void> {
  const received = await askReceived(state.tcpdump);
  if (received === undefined) return;
  update(state, { receivedAtStart: received });
  // While the capture before may still run, only that one counts what both do not see.
  const mayOverlap = state.isTakeover || state.readings.gap.kind === 'unknown';
  if (before && state.receivesAll && !mayOverlap) await state.unseen.begin({ before, received });
}

async function countUnseen(state: CountersState, sample?: UnseenSample): Promise<void> {
  if (state.listeningMs === undefined || state.tcpdump.hasEnded()) return;
  await state.unseen.measure(sample);
  update(state, { unseen: state.unseen.reading() });
}

/** `earlier` was read some seconds ago: what it counted is in the files by now. */
async function count(state: CountersState, earlier?: InterfaceReading): Promise<void> {
  // Before it listens, the process may not be tcpdump yet, and the signal would end it.
  if (state.listeningMs === undefined) return;
  const reading = await state.reader.read();
  const statistics = await askForStatistics(state.tcpdump);
  if (statistics === 'silence') return noteSilence(state);
  if (!statistics) return;
  const wasUnknown = state.readings.gap.kind === 'unknown';
  state.unanswered = 0;
  if (statistics.received !== (state.readings.statistics?.received ?? 0))
    state.silentSinceMs = performance.now();
  update(state, { statistics });
  // A stop may have read newer ones meanwhile.
  if (earlier && state.reader.isSure(earlier)) {
    state.writtenInterfacePackets = passedPackets(earlier);
    update(state, {
      interfacePackets: Math.max(passedPackets(earlier), state.readings.interfacePackets ?? 0),
    });
  }
  if (reading) await countUnseen(state, { before: reading, received: statistics.received });
  await updateTotals(state);
  if (wasUnknown && state.readings.gap.kind === 'known' && !isExpectedGap(state))
    state.onGapSettled(missedBefore(state.readings.gap, { isFirst: state.isFirst, isSettled: true }));
  const before = state.sample;
  const sample = {
    ...statistics,
    interfacePackets: state.readings.interfacePackets,
    written: await state.files.written(),
  };
  state.sample = sample;
  state.onCount(before !== undefined && isStalled(before, sample, state.spec.filter !== undefined));
}

/** tcpdump's answer is not kept: what is counted regularly is compared with what was counted before. */
async function freshTotals(state: CountersState): Promise<Totals> {
  const { listeningMs, tcpdump, spec } = state;
  if (listeningMs === undefined || tcpdump.hasEnded()) return state.totals;
  const statistics = await askForStatistics(tcpdump);
  if (statistics === undefined || statistics === 'silence' || state.readings.end) return state.totals;
  countPruned(state);
  const capturedMs = performance.now() - listeningMs;
  return captureTotals({ ...state.readings, statistics }, { interfaceName: spec.interface, capturedMs });
}

function noteSilence(state: CountersState): void {
  state.unanswered += 1;
  state.onCount(true);
  if (state.unanswered === 2) state.onSilence();
}

/** Counts duplicates of the capture before, once that one has ended and `afterMs` have passed. */
async function compare(state: CountersState, afterMs: number): Promise<void> {
  if (state.readings.duplicated !== undefined) return;
  const duplicated = await state.generation.duplicated(afterMs).catch((error: unknown) => {
    state.log.warn({ err: error }, 'failed to count duplicates');
    return 0;
  });
  update(state, { duplicated });
  // The capture before has ended: what both do not see counts here from now on.
  if (duplicated !== undefined && state.receivesAll && !state.tcpdump.hasEnded()) await state.unseen.begin();
}

async function countAtEnd(state: CountersState, ending: Ending): Promise<void> {
  const isKilled = state.listeningMs !== undefined && !ending.statistics;
  const packetsInFiles = isKilled ? await state.files.packets().catch(() => undefined) : undefined;
  update(state, { end: captureEnd(ending, packetsInFiles) });
  // What passed after its last count may be in no file, whatever was read when it was to stop.
  if (isKilled) update(state, { interfacePackets: state.writtenInterfacePackets });
  if (state.receivesAll) update(state, { interfacePackets: interfacePacketsAtEnd(state.readings) });
  await updateTotals(state, ending);
}

function countPruned(state: CountersState): void {
  const { files, pruning, spec, readings } = state;
  const byAgent = readings.pruned.byAgent + pruning.takePruned(spec.interface);
  update(state, { pruned: { byAgent, byTcpdump: files.pruned() } });
}

/** For an agent that has to count what is left of them. */
function filesOf({ files, pruning, generation }: CountersState): FilesStarted {
  const reported = files.reported();
  return { ...reported, pruned: reported.pruned + pruning.prunedOf(generation.number) };
}

/** Computes the totals from the readings, and writes them into the record. */
async function updateTotals(state: CountersState, ending?: Ending): Promise<void> {
  const { folder, generation, spec, log, listeningMs } = state;
  const capturedMs = listeningMs === undefined ? 0 : performance.now() - listeningMs;
  const sinceStartMs = ending ? Number.POSITIVE_INFINITY : capturedMs;
  // A record that cannot be read now is read again next time.
  const gap = await settleGap(folder.path, state.readings.gap, sinceStartMs).catch(() => state.readings.gap);
  update(state, { gap });
  countPruned(state);
  state.totals = captureTotals(state.readings, { interfaceName: spec.interface, capturedMs });
  const { interfacePackets } = state.readings;
  const captured = state.tcpdump.capturedInterface();
  try {
    await generation.note({
      totals: state.totals,
      files: filesOf(state),
      missedIfDead: gap.kind === 'unknown' ? gap.missedIfDead : 0,
      ...(interfacePackets !== undefined && { interfacePackets }),
      ...(captured && { interfaceIndex: captured.index }),
      ...(ending && { endTime: new Date().toISOString(), endMessage: ending.message }),
    });
  } catch (error) {
    // On a full disk packets are captured all the same, and the next record has everything.
    log.warn({ err: error }, 'failed to write the capture record');
  }
}
