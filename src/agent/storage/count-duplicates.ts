import { findOverlap } from '../../pcap/join/overlap.ts';
import type { PodFolder } from './file-names.ts';
import { allRings, openRecordingSnapshot } from './recording-snapshot.ts';
import { readRecording } from './recordings.ts';

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
  if (!recording) return 0;
  // The capture before may be frozen by now.
  await using snapshot = await openRecordingSnapshot(recording, (current) =>
    allRings(current).map((ring) => ring.filter(({ number }) => generations.includes(number))),
  );
  const { packets } = await findOverlap(snapshot.sources);
  return packets;
}
