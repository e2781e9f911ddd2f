import { linkBounds, type ReportedRecording } from '../../link/protocol.ts';

/** A recording, and what it takes of the bounds. */
export type MeasuredReport = {
  readonly recording: ReportedRecording;
  /** Of its line. */
  readonly bytes: number;
};

export type ReportBounds = { readonly recordings: number; readonly reportBytes: number };

/**
 * The reports that fit. Namespaces share what there is: if not all fits, each gets the newest of what it has, and none gets
 * more while another one has less and wants more. Otherwise, long labels of one tenant would push out what others record.
 */
export function fittingReports<T extends MeasuredReport>(
  reports: readonly T[],
  bounds: ReportBounds = linkBounds,
): readonly T[] {
  const taken = { recordings: 0, bytes: 0 };
  const fits = ({ bytes }: MeasuredReport) =>
    taken.recordings < bounds.recordings && taken.bytes + bytes <= bounds.reportBytes;
  const fitting: T[] = [];
  const waiting = new Set(sharesOf(reports));
  for (let share = leastTaken(waiting); share; share = leastTaken(waiting)) {
    const next = share.newestFirst[share.recordings];
    if (!next || !fits(next)) {
      waiting.delete(share);
      continue;
    }
    fitting.push(next);
    for (const counted of [taken, share]) {
      counted.recordings += 1;
      counted.bytes += next.bytes;
    }
    share.part = Math.max(share.recordings / bounds.recordings, share.bytes / bounds.reportBytes);
  }
  return fitting;
}

/** What a namespace has taken so far, and as a part of the bounds. */
type NamespaceShare<T> = {
  readonly newestFirst: readonly T[];
  recordings: number;
  bytes: number;
  part: number;
};

function sharesOf<T extends MeasuredReport>(reports: readonly T[]): readonly NamespaceShare<T>[] {
  const byNamespace = Map.groupBy(reports, ({ recording }) => recording.namespace);
  return [...byNamespace.values()].map((all) => ({
    newestFirst: all.toSorted((a, b) => startMs(b) - startMs(a)),
    recordings: 0,
    bytes: 0,
    part: 0,
  }));
}

function startMs({ recording }: MeasuredReport): number {
  return Date.parse(recording.status.startTime);
}

/** Undefined if there is none. */
function leastTaken<T>(shares: ReadonlySet<NamespaceShare<T>>): NamespaceShare<T> | undefined {
  let least: NamespaceShare<T> | undefined;
  for (const share of shares) if (!least || share.part < least.part) least = share;
  return least;
}
