import { indexCount, type RingFile } from './file-names.ts';

/**
 * Oldest first: by generation as in orderGenerations, then in the order in which tcpdump wrote them. Indices wrap
 * around: those that exist form a run that may pass from the last one to 0, and the oldest is the one after the widest
 * gap. No ring has more than a small part of all indices, so only this gap is ever wide. No clock is needed.
 */
export function orderByAge<File extends RingFile>(
  files: readonly File[],
  started: ReadonlySet<number>,
): File[] {
  const byGeneration = Map.groupBy(files, (file) => file.generation);
  return orderGenerations([...byGeneration.keys()], started).flatMap((generation) =>
    unrolled(byGeneration.get(generation) ?? []),
  );
}

/**
 * Oldest first: those that no agent started, or whose record is lost, and then those that an agent started. A file name
 * that claims a large generation must not push out files of running captures.
 */
export function orderGenerations(generations: readonly number[], started: ReadonlySet<number>): number[] {
  return [...new Set(generations)].toSorted(
    (a, b) => Number(started.has(a)) - Number(started.has(b)) || a - b,
  );
}

/**
 * Whether packets are missing before a file: its start of tcpdump has deleted earlier ones, and the file before it is of
 * another start.
 */
export function followsHole({ generation, index }: RingFile, before: RingFile | undefined): boolean {
  return index > 0 && before !== undefined && before.generation !== generation;
}

function unrolled<File extends RingFile>(files: readonly File[]): File[] {
  const sorted = files.toSorted((a, b) => a.index - b.index);
  const gaps = sorted.map((file, position) => {
    const before = sorted.at(position - 1)?.index ?? file.index;
    return position === 0 ? file.index + indexCount - before : file.index - before;
  });
  // tcpdump's user can make more files than a call can have arguments.
  const widest = gaps.reduce((most, gap) => Math.max(most, gap), 0);
  const start = gaps.indexOf(widest);
  return [...sorted.slice(start), ...sorted.slice(0, start)];
}
