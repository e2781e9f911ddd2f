import { findOverlap } from '../../pcap/overlap.ts';
import type { PodFolder } from './file-names.ts';
import { readRecording } from './recordings.ts';
import { openSnapshot } from './snapshot.ts';

/**
 * How many packets the files of those generations have more than once. What the ring has deleted by then is not seen:
 * the sooner it is asked, the more it knows.
 */
export async function countDuplicates(
  folder: string,
  pod: PodFolder,
  generations: readonly number[],
): Promise<number> {
  const capture = await readRecording(folder, pod);
  const those = capture?.generations.filter(({ number }) => generations.includes(number)) ?? [];
  await using snapshot = await openSnapshot(those);
  const { packets } = await findOverlap(snapshot.sources);
  return packets;
}
