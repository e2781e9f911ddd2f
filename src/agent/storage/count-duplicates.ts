import { findOverlap } from '../../pcap/join/overlap.ts';
import type { PodFolder } from './file-names.ts';
import { readRecording } from './recordings.ts';
import { openSnapshot } from './snapshot.ts';

/**
 * How many packets the files of those generations have more than once. It does not see files that have been pruned: the
 * sooner it is called, the more it counts.
 */
export async function countDuplicates(
  folder: string,
  pod: PodFolder,
  generations: readonly number[],
): Promise<number> {
  const recording = await readRecording(folder, pod);
  // The capture before may be frozen by now.
  const all = [...(recording?.frozen ?? []), ...(recording ? [recording] : [])].flatMap(
    (ring) => ring.generations,
  );
  const selected = all.filter(({ number, files }) => generations.includes(number) && files.length > 0);
  await using snapshot = await openSnapshot(selected);
  const { packets } = await findOverlap(snapshot.sources);
  return packets;
}
