import { type Totals, unseenTotals } from '../storage/capture-records.ts';
import { type CaptureGap, noGap } from './missed-packets.ts';
import type { Ending } from './tcpdump.ts';
import type { TcpdumpStatistics } from './tcpdump-output.ts';
import { type UnseenReading, unknownUnseen } from './unseen-packets.ts';

/** What has been read about the packets of one capture so far. Its totals are computed from this alone. */
export type CaptureReadings = {
  /** What the interface has received and sent since it was made; undefined until it was read. */
  readonly interfacePackets: number | undefined;
  /** The same when the capture started. */
  readonly interfacePacketsAtStart: number | undefined;
  /** What tcpdump had received by then or a moment later; undefined until it has answered. */
  readonly receivedAtStart: number | undefined;
  /** tcpdump's newest statistics; undefined until it has answered. */
  readonly statistics: TcpdumpStatistics | undefined;
  /** Packets in files that were deleted while this capture ran, and how many of its own tcpdump has deleted. */
  readonly pruned: { readonly byAgent: number; readonly byTcpdump: number };
  /** What passed before it. */
  readonly gap: CaptureGap;
  /** How many packets the capture before has as well; undefined until the two were compared. */
  readonly duplicated: number | undefined;
  readonly unseen: UnseenReading;
  readonly end: CaptureEnd | undefined;
};

export type CaptureEnd =
  /** tcpdump reported its final statistics; `unwritten` of the captured packets are in no file. */
  | { readonly kind: 'reported'; readonly statistics: TcpdumpStatistics; readonly unwritten: number }
  /** It was killed: what it counted and did not write is in no file. Undefined if the files could not be read. */
  | { readonly kind: 'killed'; readonly packetsInFiles: number | undefined };

export const noReadings: CaptureReadings = {
  interfacePackets: undefined,
  interfacePacketsAtStart: undefined,
  receivedAtStart: undefined,
  statistics: undefined,
  pruned: { byAgent: 0, byTcpdump: 0 },
  gap: noGap,
  duplicated: undefined,
  unseen: unknownUnseen,
  end: undefined,
};

/** Returns the totals of a capture of that interface, after capturing for `capturedMs`. Pure. */
export function captureTotals(
  { statistics, pruned, gap, duplicated, unseen, end }: CaptureReadings,
  { interfaceName, capturedMs }: { readonly interfaceName: string; readonly capturedMs: number },
): Totals {
  const counted = end?.kind === 'reported' ? end.statistics : statistics;
  return {
    captured: capturedPackets(statistics, end),
    dropped: counted?.dropped ?? 0,
    lostAtStop: end?.kind === 'reported' ? lostAtStop(end.statistics, interfaceName) + end.unwritten : 0,
    pruned: pruned.byAgent + pruned.byTcpdump,
    missed: gap.kind === 'known' ? gap.missed : 0,
    duplicated: duplicated ?? 0,
    // A capture that never listened was to see nothing.
    ...unseenTotals(unseen.atLeast, capturedMs > 0 && !unseen.isKnown),
    capturedMs,
  };
}

function capturedPackets(statistics: TcpdumpStatistics | undefined, end: CaptureEnd | undefined): number {
  if (end?.kind === 'reported') return end.statistics.captured - end.unwritten;
  return end?.packetsInFiles ?? statistics?.captured ?? 0;
}

/**
 * Returns the interface's packets at the end of a capture that received all of them: to the packet, while the counters
 * were last read up to 15 s before. Undefined if that cannot be known. Pure.
 */
export function interfacePacketsAtEnd(readings: CaptureReadings): number | undefined {
  const { interfacePackets, interfacePacketsAtStart, receivedAtStart, statistics, unseen, end } = readings;
  if (interfacePacketsAtStart === undefined || receivedAtStart === undefined) return interfacePackets;
  const received =
    end?.kind === 'reported'
      ? end.statistics.received
      : capturedPackets(statistics, end) + (statistics?.dropped ?? 0);
  // The network card may count as several packets what the socket gets as one: the interface counted at least what was
  // read meanwhile.
  return Math.max(
    interfacePackets ?? 0,
    interfacePacketsAtStart + received - receivedAtStart + unseen.atLeast,
  );
}

/** What tcpdump's ending means for the totals. Pure. */
export function captureEnd(
  { statistics, unwritten }: Pick<Ending, 'statistics' | 'unwritten'>,
  packetsInFiles: number | undefined,
): CaptureEnd {
  return statistics ? { kind: 'reported', statistics, unwritten } : { kind: 'killed', packetsInFiles };
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
