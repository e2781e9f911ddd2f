import type { CaptureRecord } from '../src/agent/storage/capture-records.ts';
import type { ObservedCapture } from './gaps.ts';

/** One start of tcpdump, and what was found of it. */
export type FoundCapture = {
  readonly record: Pick<CaptureRecord, 'generation' | 'interface' | 'endTime' | 'totals'>;
  /** The frozen ring that has its files; undefined: the ring. */
  readonly frozen: number | undefined;
  /** Oldest first; empty if it has none. */
  readonly files: readonly FoundFile[];
};

/** A capture file: its index among those of its start, and the datagrams in it. */
export type FoundFile = { readonly index: number; readonly numbers: readonly number[] };

/**
 * Returns the captures of each interface, oldest first, given the generations that run. Pure. `all` are in the order of
 * their generations. What is pruned between a frozen ring and the next one is no gap.
 */
export function observedCaptures(
  all: readonly FoundCapture[],
  running: ReadonlySet<number>,
): ReadonlyMap<string, readonly ObservedCapture[]> {
  const byInterface = Map.groupBy(all, ({ record }) => record.interface);
  const known = new Map(all.map((each) => [each.record.generation, each]));
  return new Map(
    [...byInterface].map(([name, captures]) => [
      name,
      captures.map((capture, at) => {
        const before = captures.slice(0, at).findLast(({ files }) => files.length > 0);
        const { generation, totals, endTime } = capture.record;
        return {
          generation,
          numbers: capture.files.flatMap(({ numbers }) => numbers),
          missed: totals.missed,
          dropped: totals.dropped + totals.lostAtStop + (totals.unseen ?? 0),
          wasCut: endTime === undefined && !running.has(generation),
          followsHole: followsHole(capture, before, known),
        };
      }),
    ]),
  );
}

/** A ring is pruned from its oldest file on, so only what is older than a ring can be separated from it otherwise. */
function followsHole(
  { record, frozen, files }: FoundCapture,
  before: FoundCapture | undefined,
  known: ReadonlyMap<number, FoundCapture>,
): boolean {
  const [first] = files;
  if (first === undefined) return false;
  if (first.index > 0) return true;
  if (before === undefined || before.frozen === frozen) return false;
  for (let between = before.record.generation + 1; between < record.generation; between += 1) {
    const other = known.get(between);
    if (other?.record.interface !== record.interface && other !== undefined) continue;
    if (other === undefined || !hasCapturedNothing(other)) return true;
  }
  return false;
}

function hasCapturedNothing({ record: { endTime, totals } }: FoundCapture): boolean {
  return endTime !== undefined && totals.captured === 0;
}
