import type { RingFile } from './file-names.ts';

/** `changedMs` is set only where the names do not give the order. */
export type AgedFile = RingFile & { readonly changedMs?: number };

/**
 * Oldest first: by generation, then in the order in which tcpdump wrote them. Indices wrap around: those that exist
 * form a run that may pass from wrapAfter - 1 to 0, and the oldest is the one after the widest gap.
 */
export function orderByAge(files: readonly AgedFile[], wrapAfter: number): AgedFile[] {
  const byGeneration = Map.groupBy(files, (file) => file.generation);
  return [...byGeneration]
    .toSorted(([a], [b]) => a - b)
    .flatMap(([, group]) => (group.length < wrapAfter ? unrolled(group, wrapAfter) : byChange(group)));
}

function unrolled(files: readonly AgedFile[], wrapAfter: number): AgedFile[] {
  const sorted = files.toSorted((a, b) => a.index - b.index);
  const gaps = sorted.map((file, position) => {
    const before = sorted.at(position - 1)?.index ?? file.index;
    return position === 0 ? file.index + wrapAfter - before : file.index - before;
  });
  const start = gaps.indexOf(Math.max(...gaps));
  return [...sorted.slice(start), ...sorted.slice(0, start)];
}

/** The agent stalled and tcpdump wrapped around, so there is no gap: only the modification times give the order. */
function byChange(files: readonly AgedFile[]): AgedFile[] {
  return files.toSorted((a, b) => (a.changedMs ?? 0) - (b.changedMs ?? 0));
}
