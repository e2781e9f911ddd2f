import type { MissedBefore } from '../observability/recording-report.ts';
import { type CaptureRecord, deadAfterMs, readRecord } from '../storage/capture-records.ts';
import type { Generation } from '../storage/generations.ts';

/** How many packets passed an interface between the previous capture and this one. */
export type CaptureGap =
  | { readonly kind: 'known'; readonly missed: number }
  /** The previous one has no end yet: its agent was killed, or is another agent that still runs or is just ending. */
  | {
      readonly kind: 'unknown';
      readonly before: CaptureRecord;
      /** What passed in between, computed from a newer version of that record. */
      readonly missedAfter: (before: CaptureRecord) => number;
      /** What was missed if no one updates that record any more. */
      readonly missedIfDead: number;
    };

/** Nothing was missed. */
export const noGap: CaptureGap = { kind: 'known', missed: 0 };

/**
 * Returns the gap between the interface's counters at the end of the previous capture and at the start of this one. A
 * killed capture wrote them up to 18 s before its end: what it captured after that counts as missed, never the reverse.
 * Pure.
 */
export function gapBefore(
  { before, unsettled }: Pick<Generation, 'before' | 'unsettled'>,
  interfacePacketsAtStart: number | undefined = 0,
): CaptureGap {
  const missed = missedSince(before, interfacePacketsAtStart);
  // If it was killed before it knew its own gap, this capture must count that one as well.
  const unknown = (open: CaptureRecord, missedAfter: (open: CaptureRecord) => number): CaptureGap => {
    return { kind: 'unknown', before: open, missedAfter, missedIfDead: missed + (open.missedIfDead ?? 0) };
  };
  if (unsettled) return unknown(unsettled, () => missed);
  if (!before || before.endTime !== undefined) return { kind: 'known', missed };
  return unknown(before, (now) => missedSince(now, interfacePacketsAtStart));
}

/**
 * Reads the record of the previous capture again, and returns the gap as it is known now. If that capture continued
 * until this one had started, nothing was missed. An end in its record alone proves nothing: an agent that stops writes
 * it a moment after its tcpdump has ended.
 */
export async function settleGap(folder: string, gap: CaptureGap, sinceStartMs: number): Promise<CaptureGap> {
  if (gap.kind === 'known') return gap;
  const now = (await readRecord(folder, gap.before.generation)) ?? gap.before;
  const missed = gap.missedAfter(now);
  const hasContinued = now.clock.lastMs > gap.before.clock.lastMs && missed === 0;
  const hasCountedItsOwn = (gap.before.missedIfDead ?? 0) > 0 && (now.missedIfDead ?? 0) === 0;
  if (hasContinued || hasCountedItsOwn || now.endTime !== undefined) return { kind: 'known', missed };
  return sinceStartMs > deadAfterMs ? { kind: 'known', missed: gap.missedIfDead } : gap;
}

/** Returns the gap as it is reported; `isFirst` if no capture of the interface is before. Pure. */
export function missedBefore(
  gap: CaptureGap,
  { isFirst, isSettled }: { readonly isFirst: boolean; readonly isSettled: boolean },
): MissedBefore {
  if (gap.kind === 'unknown') return { kind: 'unknown' };
  return isFirst ? { kind: 'first', packets: gap.missed } : { kind: 'gap', packets: gap.missed, isSettled };
}

function missedSince(before: CaptureRecord | undefined, interfacePacketsAtStart: number): number {
  return Math.max(0, interfacePacketsAtStart - (before?.interfacePackets ?? 0));
}
