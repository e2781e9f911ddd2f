import type { Generation } from '../storage/capture-folder.ts';
import { type CaptureRecord, deadAfterMs, readRecord } from '../storage/capture-records.ts';

/** How many packets passed an interface between the capture before and this one. */
export type CaptureGap =
  | { readonly kind: 'known'; readonly missed: number }
  /** The one before has no end: its agent was killed, or is another one that runs still, or is just ending. */
  | {
      readonly kind: 'unknown';
      readonly before: CaptureRecord;
      /** What passed between, as the record of the one before stands by then. */
      readonly missedAfter: (before: CaptureRecord) => number;
      readonly missedIfDead: number;
    };

export const noGap: CaptureGap = { kind: 'known', missed: 0 };

/**
 * From the interface's own counters at the end of the capture before and at the beginning of this one. A capture that
 * was killed wrote them up to 18 s before its end: what it captured since counts as missed, never the other way round.
 */
export function gapBefore(
  { before, unsettled }: Pick<Generation, 'before' | 'unsettled'>,
  interfacePacketsAtStart: number | undefined = 0,
): CaptureGap {
  const missed = missedSince(before, interfacePacketsAtStart);
  // If it was killed before it knew of its own gap, nobody else tells that one.
  const unknown = (open: CaptureRecord, missedAfter: (open: CaptureRecord) => number): CaptureGap => {
    return { kind: 'unknown', before: open, missedAfter, missedIfDead: missed + (open.missedIfDead ?? 0) };
  };
  if (unsettled) return unknown(unsettled, () => missed);
  if (!before || before.endTime !== undefined) return { kind: 'known', missed };
  return unknown(before, (now) => missedSince(now, interfacePacketsAtStart));
}

/**
 * Looks at the capture before again. If it went on until this one had begun, nothing was missed; that it has an end by
 * now says nothing alone: an agent that stops writes it a moment after its tcpdump has ended.
 */
export async function settleGap(folder: string, gap: CaptureGap, sinceBeginMs: number): Promise<CaptureGap> {
  if (gap.kind === 'known') return gap;
  const now = (await readRecord(folder, gap.before.generation)) ?? gap.before;
  const missed = gap.missedAfter(now);
  const wentOn = now.clock.lastMs > gap.before.clock.lastMs && missed === 0;
  const toldItsOwn = (gap.before.missedIfDead ?? 0) > 0 && (now.missedIfDead ?? 0) === 0;
  if (wentOn || toldItsOwn || now.endTime !== undefined) return { kind: 'known', missed };
  return sinceBeginMs > deadAfterMs ? { kind: 'known', missed: gap.missedIfDead } : gap;
}

function missedSince(before: CaptureRecord | undefined, interfacePacketsAtStart: number): number {
  return Math.max(0, interfacePacketsAtStart - (before?.interfacePackets ?? 0));
}
