import type { Generation } from '../keep/capture-folder.ts';
import { type CaptureRecord, readRecord } from '../keep/records.ts';

/** How many packets passed an interface between the capture before and this one. */
export type Gap =
  | { readonly kind: 'known'; readonly missed: number }
  /** The one before has no end: its agent was killed, or it is another agent's and runs still. */
  | { readonly kind: 'unknown'; readonly before: CaptureRecord; readonly missedIfDead: number };

export const noGap: Gap = { kind: 'known', missed: 0 };

/** A capture that runs writes its record every 15 s; one that did not for so long is dead. */
const deadAfterMs = 25_000;

/**
 * From the interface's own counters at the end of the capture before and at the beginning of this one. A capture that
 * was killed wrote them up to 15 s before its end: what it captured since counts as missed, never the other way round.
 */
export function gapBefore({ before }: Pick<Generation, 'before'>, carriedAtBegin: number | undefined): Gap {
  const missed = Math.max(0, (carriedAtBegin ?? 0) - (before?.carried ?? 0));
  if (!before || before.end !== undefined) return { kind: 'known', missed };
  // If it was killed before it knew of its own gap, nobody else tells that one.
  return { kind: 'unknown', before, missedIfDead: missed + (before.missedIfDead ?? 0) };
}

/** Looks at the capture before again: if it went on after this one began, nothing was missed. */
export async function settleGap(folder: string, gap: Gap, sinceBeginMs: number): Promise<Gap> {
  if (gap.kind === 'known') return gap;
  const now = await readRecord(folder, gap.before.generation);
  const wentOn = now && (now.end !== undefined || now.clock.lastMs > gap.before.clock.lastMs);
  if (wentOn) return noGap;
  return sinceBeginMs > deadAfterMs ? { kind: 'known', missed: gap.missedIfDead } : gap;
}
