import { ifExists } from '../../base/fs-errors.ts';
import { openPcap, type PcapFile } from '../../pcap/pcap-file.ts';
import type { Source } from '../../pcap/source.ts';
import type { RecordingGeneration } from './recordings.ts';

/** The capture files of some generations, held open as they were at one moment. */
export type Snapshot = AsyncDisposable & {
  readonly sources: readonly GenerationSource[];
  /** A message for each file that is not a valid capture file. */
  readonly notes: readonly string[];
};

export type GenerationSource = Source & { readonly generation: number };

/**
 * Opens the newest file of each generation first: pruning deletes the oldest, so only the start can be missing, and
 * what is open has no gap.
 */
export async function openSnapshot(generations: readonly RecordingGeneration[]): Promise<Snapshot> {
  await using opening = new AsyncDisposableStack();
  const sources: GenerationSource[] = [];
  const notes: string[] = [];
  for (const { number, record, files } of generations) {
    const opened: PcapFile[] = [];
    for (const { path } of files.toReversed()) {
      const file = await ifExists(openPcap(path));
      if (file === undefined) break;
      if (file.kind === 'not-pcap') notes.push(file.message);
      if (file.kind === 'pcap') opened.unshift(opening.use(file));
    }
    const header = opened[0]?.header;
    const place = record ? `${record.sandboxId} ${record.interface}` : '';
    if (header) sources.push({ generation: number, header, place, files: opened });
  }
  const files = opening.move();
  return { sources, notes, [Symbol.asyncDispose]: () => files.disposeAsync() };
}
