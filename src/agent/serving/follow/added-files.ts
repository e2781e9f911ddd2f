import { ifExists } from '../../../base/fs-errors.ts';
import { openPcap } from '../../../pcap/pcap-file.ts';
import { readRecord } from '../../storage/capture-records.ts';
import { writtenFiles } from '../../storage/written-files.ts';
import { GenerationTail } from './generation-tail.ts';
import type { ListedFile } from './listed-ring.ts';
import type { MissingPackets } from './missing-packets.ts';

/** What is followed of a ring. */
export type FollowedTails = {
  /** In the order in which they started. Each has a file that could be read. */
  readonly tails: GenerationTail[];
  /** Those without, so far. */
  readonly unread: Map<number, GenerationTail>;
};

export type AddingOptions = {
  readonly folder: string;
  /** How many files may be held open; those beyond are opened when older ones have been read. */
  readonly mostFiles: number;
  readonly nowMs: () => number;
  /** Of a generation that is there from the start, the ring may have deleted files long ago. */
  readonly isFirst: boolean;
};

/** Opens what is new, oldest first. */
export async function addFiles(
  followed: FollowedTails,
  files: readonly ListedFile[],
  options: AddingOptions,
): Promise<void> {
  const { folder, mostFiles } = options;
  const { tails, unread } = followed;
  let open = tails.reduce((sum, tail) => sum + tail.files.length, 0);
  for (const [number, ofGeneration] of Map.groupBy(files, ({ generation }) => generation)) {
    const known = tails.find((tail) => tail.number === number);
    const tail = known ?? unread.get(number) ?? new GenerationTail(number, undefined);
    // It is written before tcpdump starts.
    tail.record ??= await readRecord(folder, number);
    open += await addToTail(tail, ofGeneration, { ...options, mostFiles: mostFiles - open });
    if (known) continue;
    if (tail.header) {
      tails.push(tail);
      unread.delete(number);
    } else if (tail.lastIndex >= 0) unread.set(number, tail);
  }
}

/** Returns how many files it has looked at. */
async function addToTail(
  tail: GenerationTail,
  files: readonly ListedFile[],
  { mostFiles, nowMs, isFirst }: AddingOptions,
): Promise<number> {
  let looked = 0;
  const written = writtenFiles(files, tail.lastIndex);
  for (const [at, { path, index }] of written.entries()) {
    if (index <= tail.lastIndex) continue;
    if (looked >= mostFiles) break;
    const opened = await ifExists(openPcap(path));
    const isNewest = at === written.length - 1;
    // It is moved right now, or has no header yet: nothing after it is read before it.
    if (!opened || (opened.kind === 'empty' && isNewest)) break;
    const missing = isFirst && tail.lastIndex < 0 ? undefined : missingBefore(tail, index);
    if (opened.kind === 'pcap') tail.add(index, opened, missing, nowMs());
    else tail.skip(index, opened.kind === 'empty' ? undefined : opened.message);
    looked += 1;
  }
  return looked;
}

/** Files that came and went before they were seen: nobody knows how much they had. */
function missingBefore({ lastIndex, record }: GenerationTail, index: number): MissingPackets | undefined {
  const files = index - lastIndex - 1;
  if (files <= 0) return undefined;
  const bytes = record && files * record.fileMegabytes * 1_000_000;
  return { reason: 'ReaderTooSlow', packets: undefined, bytes };
}
