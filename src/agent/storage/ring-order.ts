import { indexCount, type RingFile } from './file-names.ts';

/**
 * Oldest first: by generation, then in the order in which tcpdump wrote them. Indices wrap around: those that exist
 * form a run that may pass from the last one to 0, and the oldest is the one after the widest gap. There are so many
 * indices that only this gap is ever wide; no clock is needed.
 */
export function orderByAge(files: readonly RingFile[]): RingFile[] {
  const byGeneration = Map.groupBy(files, (file) => file.generation);
  return [...byGeneration].toSorted(([a], [b]) => a - b).flatMap(([, group]) => unrolled(group));
}

function unrolled(files: readonly RingFile[]): RingFile[] {
  const sorted = files.toSorted((a, b) => a.index - b.index);
  const gaps = sorted.map((file, position) => {
    const before = sorted.at(position - 1)?.index ?? file.index;
    return position === 0 ? file.index + indexCount - before : file.index - before;
  });
  const start = gaps.indexOf(Math.max(...gaps));
  return [...sorted.slice(start), ...sorted.slice(0, start)];
}
