import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import { inTurn as takeTurns } from '../../base/serial-queue.ts';
import type { CaptureSpec } from '../planner/annotations.ts';
import type { CaptureFolder, Generation } from '../storage/capture-folder.ts';
import { noTotals, type Totals } from '../storage/capture-records.ts';
import type { LeftoverPruning } from '../storage/prune-leftovers.ts';
import { readInterfacePackets } from './interface-counters.ts';
import { type CaptureGap, gapBefore, noGap, settleGap } from './missed-packets.ts';
import { type CounterSample, isStalled } from './stall-detection.ts';
import type { Ending, Tcpdump } from './tcpdump.ts';
import type { TcpdumpFiles } from './tcpdump-files.ts';
import type { TcpdumpStatistics } from './tcpdump-output.ts';

/** The accounts of one capture: every packet is in a file or in a number; in memory, and in its record on disk. */
export type CaptureCounters = {
  readonly totals: () => Totals;
  /** When it began to capture, by performance.now(); undefined before. */
  readonly listeningMs: () => number | undefined;
  /** It captures from now on. Gives back how many packets were missed before, or undefined while that is not known. */
  readonly begin: () => Promise<number | undefined>;
  /** What the interface has carried by now: can be read as long as tcpdump lives. */
  readonly countInterfacePackets: () => Promise<void>;
  /** It cannot write and hears nothing any more: the same, where it is not known by what it received. */
  readonly countInterfacePacketsAtFailure: () => Promise<void>;
  /** Asks tcpdump for what it has counted; a tcpdump that does not answer is not waited for. */
  readonly countWithin: (ms: number) => Promise<void>;
  /** The last entry. */
  readonly close: (ending: Ending) => Promise<void>;
};

export type CaptureCountersOptions = {
  readonly folder: Pick<CaptureFolder, 'path'>;
  readonly generation: Generation;
  readonly tcpdump: Tcpdump;
  readonly files: TcpdumpFiles;
  readonly ring: Pick<LeftoverPruning, 'takePruned' | 'settled'>;
  readonly spec: Pick<CaptureSpec, 'interface' | 'filter'>;
  /** Another capture of the same interface runs and goes on until this one captures: nothing is missed between. */
  readonly overlaps: boolean;
  /** The accounts have changed; `isStalled` when packets pass and are not kept, or tcpdump does not answer. */
  readonly onCount: (isStalled: boolean) => void;
  /** tcpdump did not answer twice. */
  readonly onSilence: () => void;
  readonly log: Logger;
};

const countEveryMs = 15_000;
/**
 * What an interface has carried is in the files a moment later: a block of the kernel's ring is handed over after a
 * second at most, and a ring that is filled within a second is written each second.
 */
const writtenAfterMs = 3_000;
/** The ring may delete what two captures both have: it is compared soon after the one before has ended. */
const compareEveryMs = 1_000;
/** A tcpdump that works answers within milliseconds; the rest is for a machine that is out of breath. */
const answerWithinMs = 10_000;

export function openCounters(options: CaptureCountersOptions): CaptureCounters {
  const { folder, spec, ring, generation, tcpdump, log } = options;
  let totals = noTotals;
  let listeningMs: number | undefined;
  let interfacePackets: number | undefined;
  let gap: CaptureGap = noGap;
  let interfacePacketsAtStart: number | undefined;
  /** What it had received by then or a moment later: undefined until it has told. */
  let receivedAtBegin: number | undefined;
  /** By the ring, while this one ran: of earlier captures, or because fewer files are kept. */
  let prunedByRing = 0;
  let unanswered = 0;
  let sample: CounterSample | undefined;
  let duplicated: number | undefined;
  let timer: NodeJS.Timeout | undefined;
  let countTimer: NodeJS.Timeout | undefined;
  let comparingTimer: NodeJS.Timeout | undefined;
  // What it received tells to the packet what its interface carried; the counters were read up to 15 s before. lo
  // counts twice.
  const receivesAll = spec.filter === undefined && spec.interface !== 'lo';

  const turn = takeTurns();
  const inTurn = (work: () => Promise<void>) =>
    turn(work).catch((error: unknown) => log.warn({ err: error }, 'capture not counted'));

  async function countInterfacePackets(): Promise<void> {
    // Before it listens the process can still be in the agent's own network.
    if (listeningMs === undefined || tcpdump.hasEnded()) return;
    interfacePackets = (await interfacePacketsNow()) ?? interfacePackets;
  }

  async function interfacePacketsNow(): Promise<number | undefined> {
    const pid = tcpdump.pid();
    if (pid === undefined) return undefined;
    return await readInterfacePackets(pid, spec.interface).catch(() => undefined);
  }

  /** What it had counted at its end, by its files when it was killed; and what its interface had carried by then. */
  async function settle({ statistics }: Ending): Promise<void> {
    if (listeningMs === undefined) return;
    // What it had counted and not written is in no file.
    if (!statistics)
      totals = { ...totals, captured: await options.files.packets().catch(() => totals.captured) };
    if (interfacePacketsAtStart === undefined || receivedAtBegin === undefined || !receivesAll) return;
    const received = (statistics?.received ?? totals.captured + totals.dropped) - receivedAtBegin;
    // A hardware may count what the socket gets in one piece as many: what was read meanwhile is the least there was.
    interfacePackets = Math.max(interfacePackets ?? 0, interfacePacketsAtStart + received);
  }

  /** It hears before its interface is looked at: what it received until then is in both counts. */
  async function readReceivedAtBegin(): Promise<void> {
    const statistics = await answerOf(tcpdump);
    if (statistics !== 'silence') receivedAtBegin = statistics?.received;
  }

  async function enter(statistics: TcpdumpStatistics | undefined, ending: Ending | undefined): Promise<void> {
    const capturedMs = listeningMs === undefined ? 0 : performance.now() - listeningMs;
    // A record that cannot be read now is looked at again.
    gap = await settleGap(folder.path, gap, ending ? Number.POSITIVE_INFINITY : capturedMs).catch(() => gap);
    prunedByRing += ring.takePruned();
    totals = {
      captured: statistics ? statistics.captured - (ending?.unwritten ?? 0) : totals.captured,
      dropped: statistics?.dropped ?? totals.dropped,
      lostAtStop: statistics && ending ? lostAtStop(statistics, spec.interface) + ending.unwritten : 0,
      pruned: prunedByRing + options.files.pruned(),
      missed: gap.kind === 'known' ? gap.missed : 0,
      duplicated: duplicated ?? 0,
      capturedMs,
    };
    try {
      await generation.note({
        totals,
        missedIfDead: gap.kind === 'unknown' ? gap.missedIfDead : 0,
        ...(interfacePackets !== undefined && { interfacePackets }),
        ...(ending && { endTime: new Date().toISOString(), endMessage: ending.message }),
      });
    } catch (error) {
      // A full disk: packets are captured all the same, and the next entry has everything again.
      log.warn({ err: error }, 'capture record not written');
    }
  }

  /** Every number is of a moment whose packets are in the files, should tcpdump or the agent be killed after it. */
  async function countWhenWritten(): Promise<void> {
    const before = await interfacePacketsNow();
    if (tcpdump.hasEnded()) return;
    countTimer = setTimeout(() => void inTurn(() => count(before)), writtenAfterMs);
  }

  async function count(interfacePacketsBefore?: number): Promise<void> {
    // Before it listens the process need not be tcpdump yet, and a signal ends it.
    if (listeningMs === undefined) return;
    const statistics = await answerOf(tcpdump);
    if (statistics === 'silence') {
      unanswered += 1;
      options.onCount(true);
      if (unanswered === 2) options.onSilence();
      return;
    }
    if (!statistics) return;
    unanswered = 0;
    // A stop may have read it meanwhile.
    if (interfacePacketsBefore !== undefined)
      interfacePackets = Math.max(interfacePacketsBefore, interfacePackets ?? 0);
    await enter(statistics, undefined);
    const before = sample;
    sample = { ...statistics, interfacePackets, written: await options.files.written() };
    options.onCount(before !== undefined && isStalled(before, sample, spec.filter !== undefined));
  }

  async function compare(afterMs: number): Promise<void> {
    duplicated ??= await generation.duplicated(afterMs).catch((error: unknown) => {
      log.warn({ err: error }, 'overlap with the capture before not counted');
      return 0;
    });
    if (duplicated !== undefined) clearInterval(comparingTimer);
  }

  return {
    totals: () => totals,
    listeningMs: () => listeningMs,
    countInterfacePackets,
    async countInterfacePacketsAtFailure() {
      if (!receivesAll) await countInterfacePackets();
    },
    async begin() {
      listeningMs = performance.now();
      await countInterfacePackets();
      interfacePacketsAtStart = interfacePackets;
      gap = options.overlaps ? noGap : gapBefore(generation, interfacePackets);
      await enter(undefined, undefined);
      options.onCount(false);
      void inTurn(readReceivedAtBegin);
      timer = setInterval(() => void countWhenWritten(), countEveryMs);
      comparingTimer = setInterval(() => void inTurn(() => compare(writtenAfterMs)), compareEveryMs);
      return gap.kind === 'known' ? gap.missed : undefined;
    },
    countWithin: (ms) => Promise.race([inTurn(() => count()), sleep(ms)]),
    async close(ending) {
      clearInterval(timer);
      clearTimeout(countTimer);
      clearInterval(comparingTimer);
      await inTurn(() => compare(0));
      // tcpdump's last files make old ones go.
      await ring.settled();
      await settle(ending);
      await enter(ending.statistics, ending);
      options.onCount(false);
    },
  };
}

async function answerOf(tcpdump: Tcpdump): Promise<TcpdumpStatistics | 'silence' | undefined> {
  const answered = new AbortController();
  const silence = sleep(answerWithinMs, 'silence' as const, { signal: answered.signal });
  try {
    return await Promise.race([tcpdump.count(), silence.catch(() => undefined)]);
  } finally {
    answered.abort();
  }
}

/**
 * What was received, and neither dropped nor captured. On lo the kernel counts each packet twice, as sent and as
 * received, and libpcap keeps one of them (measured: 200 received, 100 captured, none lost).
 */
export function lostAtStop(
  { captured, received, dropped }: TcpdumpStatistics,
  interfaceName: string,
): number {
  const copies = interfaceName === 'lo' ? 2 : 1;
  return Math.max(0, Math.floor((received - dropped) / copies) - captured);
}
