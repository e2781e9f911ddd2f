import type { RingFile } from './file-names.ts';
import { followsHole, orderByAge } from './ring-order.ts';
import { fileHeaderBytes, mostFileBytes, nominalFileBytes, type RingSize } from './ring-size.ts';

/** A capture file, and how many bytes it has. */
export type SizedRingFile = RingFile & { readonly bytes: number };

/** What is known of one start of tcpdump. */
export type StartState = {
  /** It may still write into its newest file. */
  readonly isRunning: boolean;
  readonly hasListened: boolean;
  /** When it was last known to run, by the clock of this boot; -Infinity if that was in an earlier boot. */
  readonly lastMs: number;
  /** When it had ended at the latest, if it has ended. */
  readonly latestEndMs: number;
};

/** By generation, those that an agent started. */
export type StartStates = ReadonlyMap<number, StartState>;

/** One Pod's ring: what its folder has, and what was asked for. */
export type RingContents = {
  /** In no order. */
  readonly files: readonly SizedRingFile[];
  /** The files of all other generations are the oldest, and nobody writes them. */
  readonly starts: StartStates;
  readonly size: RingSize;
  /** The largest N that anyone may ask for. */
  readonly maxFiles: number;
};

/**
 * The names of the files that the agent deletes, oldest first. Pure.
 *
 * A ring keeps bytes, not files, so that a start of tcpdump, which begins a file, costs no packets. Its complete files
 * have at most N x M bytes together: the oldest goes when they have more. With the file that is being written, that is
 * at most (N + 1) x M. Of the files of a running tcpdump its library keeps N (preload/ring.c), and the agent deletes only
 * those beyond them, when fewer are asked for: the library does that with its next file. While two run, they are two
 * rings.
 */
export function filesToPrune({ files, starts, size, maxFiles }: RingContents): string[] {
  const ordered = orderForPruning(files, starts);
  const isRunning = ({ generation }: SizedRingFile) => starts.get(generation)?.isRunning ?? false;
  const superfluous = new Set([
    ...withoutPackets(ordered, starts),
    ...beyondNewest(size, ordered.filter(isRunning)),
  ]);
  const left = ordered.filter((file) => !superfluous.has(file));
  // The library deletes files without waiting for the agent: nothing older than a hole may stay.
  const endsAtHole = left.findLastIndex(
    (file, at) => starts.has(file.generation) && followsHole(file, left[at - 1]),
  );
  const ended = left.filter((file) => !isRunning(file));
  let completeBytes = sumOf(ended.map(sizeIn(size))) + mostWritten(left.filter(isRunning), size);
  let count = left.length;
  const surplus = new Set<SizedRingFile>();
  for (const [at, file] of left.entries()) {
    if (isRunning(file)) continue;
    const bytes = sizeIn(size)(file);
    // A file of a larger size counts as one of this size here: it stays until newer ones fill the ring.
    const leastBytes = completeBytes - Math.max(0, bytes - nominalFileBytes(size));
    const isSurplus = leastBytes > size.files * nominalFileBytes(size);
    if (!isSurplus && count <= 2 * maxFiles && at >= endsAtHole) break;
    surplus.add(file);
    completeBytes -= bytes;
    count -= 1;
  }
  return ordered.filter((file) => superfluous.has(file) || surplus.has(file)).map(({ name }) => name);
}

/**
 * Oldest first. A start that went on when a younger one had ended comes after that one: during a rolling update, an
 * agent may outlive the one that should replace it.
 */
function orderForPruning(files: readonly SizedRingFile[], starts: StartStates): SizedRingFile[] {
  const ended = [...starts].filter(([, { isRunning }]) => !isRunning);
  const placeOf = ([generation, { lastMs }]: readonly [number, StartState]): number => {
    const outlived = ended.filter(([other, state]) => other > generation && state.latestEndMs < lastMs);
    return Math.max(generation, ...outlived.map(([other]) => other + 0.5));
  };
  const places = new Map([...starts].map((start) => [start[0], placeOf(start)]));
  const placeIn = ({ generation }: SizedRingFile) => places.get(generation) ?? 0;
  return orderByAge(files, new Set(starts.keys())).toSorted((a, b) => placeIn(a) - placeIn(b));
}

/** Those without packets, of starts that have ended, once a later tcpdump has listened. */
function withoutPackets(ordered: readonly SizedRingFile[], starts: StartStates): SizedRingFile[] {
  const newestListener = ordered.findLast(
    ({ generation }) => starts.get(generation)?.hasListened,
  )?.generation;
  const place = ordered.findIndex(({ generation }) => generation === newestListener);
  return ordered.filter(
    ({ bytes, generation }, at) =>
      bytes <= fileHeaderBytes && at < place && !(starts.get(generation)?.isRunning ?? false),
  );
}

/**
 * Of each of these starts, the files before the newest ones. Fewer and larger files may be asked for, by another start:
 * the files of the smaller size go only if the others have as many bytes as N - 1 of the larger ones.
 */
function beyondNewest(size: RingSize, running: readonly SizedRingFile[]): SizedRingFile[] {
  const starts = Map.groupBy(running, ({ generation }) => generation);
  const leastBytes = (size.files - 1) * nominalFileBytes(size);
  return [...starts.values()].flatMap((ofStart) =>
    ofStart
      .slice(0, -size.files)
      .filter((_file, at) => sumOf(ofStart.slice(at + 1, -1).map(sizeIn(size))) >= leastBytes),
  );
}

/** The bytes of the complete files of the running start that has the most. */
function mostWritten(running: readonly SizedRingFile[], size: RingSize): number {
  const starts = Map.groupBy(running, ({ generation }) => generation);
  return Math.max(0, ...[...starts.values()].map((files) => sumOf(files.slice(0, -1).map(sizeIn(size)))));
}

/**
 * How many bytes a file counts in a ring of that size. The record that exceeds the size of a file is not counted: else a
 * start of tcpdump could delete a file that fits.
 */
function sizeIn(size: RingSize): (file: SizedRingFile) => number {
  return ({ bytes }) => {
    if (bytes <= fileHeaderBytes) return 0;
    return bytes <= mostFileBytes(size) ? Math.min(bytes, nominalFileBytes(size)) : bytes;
  };
}

function sumOf(numbers: readonly number[]): number {
  return numbers.reduce((sum, number) => sum + number, 0);
}
