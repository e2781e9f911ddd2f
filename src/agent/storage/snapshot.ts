import { ifExists } from '../../base/fs-errors.ts';
import type { Source } from '../../pcap/join/source.ts';
import { openPcap, type PcapFile } from '../../pcap/pcap-file.ts';
import type { CaptureRecord } from './capture-records.ts';
import type { RecordingFile, RecordingGeneration } from './recorded-generations.ts';
import { writtenFiles } from './written-files.ts';

/** The capture files of some generations, held open as they were at one moment. */
export type Snapshot = AsyncDisposable & {
  readonly sources: readonly GenerationSource[];
  /** A message for each file that is not a valid capture file, and if not all files are in the snapshot. */
  readonly notes: readonly string[];
};

export type GenerationSource = Source & {
  readonly generation: number;
  readonly record: CaptureRecord | undefined;
};

/**
 * Twice as many as a ring can have (settings.ts): tcpdump's user can make more, and open files must not use up the
 * process's descriptors.
 */
const mostFiles = 20_000;

/** Opens several rings, oldest first: what is missing between two of them is no reason to leave out the older one. */
export async function openSnapshots(rings: readonly (readonly RecordingGeneration[])[]): Promise<Snapshot> {
  await using opening = new AsyncDisposableStack();
  const snapshots: Snapshot[] = [];
  let most = mostFiles;
  // The newest first: what is older is what may be deleted meanwhile.
  for (const generations of rings.toReversed()) {
    const snapshot = opening.use(await openSnapshot(generations, most));
    most -= snapshot.sources.reduce((sum, { files }) => sum + files.length, 0);
    snapshots.unshift(snapshot);
  }
  const opened = opening.move();
  return {
    sources: snapshots.flatMap(({ sources }) => sources),
    notes: snapshots.flatMap(({ notes }) => notes),
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

/**
 * Opens the newest file of each generation first, and the newest generation first: pruning deletes the oldest, so only
 * the start can be missing, and what is open has no gap. For a moment, a generation can lack its first file while older
 * generations of its interface still have theirs, because tcpdump deletes files without waiting for the agent: those are
 * left out, except of a capture that may still run. Opens no more than `most` files.
 */
export async function openSnapshot(
  generations: readonly RecordingGeneration[],
  most = mostFiles,
): Promise<Snapshot> {
  await using opening = new AsyncDisposableStack();
  const sources: GenerationSource[] = [];
  const notes: string[] = [];
  let looked = 0;
  /** The interfaces of which newer files have been deleted. */
  const holes = new Set<string>();
  for (const { number, record, files } of generations.toReversed()) {
    if (record?.endTime !== undefined && holes.has(record.interface)) continue;
    const opened: PcapFile[] = [];
    const held: RecordingFile[] = [];
    for (const found of files.toReversed()) {
      if (looked >= most) break;
      looked += 1;
      const file = await ifExists(openPcap(found.path));
      if (file === undefined) break;
      held.push(found);
      if (file.kind === 'not-pcap') notes.unshift(file.message);
      if (file.kind === 'pcap') opened.push(opening.use(file));
    }
    opened.reverse();
    const first = writtenFiles(held, -1)[0];
    if (record !== undefined && first !== undefined && first.index > 0) holes.add(record.interface);
    const header = opened[0]?.header;
    const interfaceName = record?.interface ?? '';
    const place = record ? `${record.sandboxId} ${interfaceName}` : '';
    if (header) sources.unshift({ generation: number, record, header, interfaceName, place, files: opened });
  }
  const all = generations.reduce((sum, { files }) => sum + files.length, 0);
  if (all > most) notes.push(`only the newest ${most} of ${all} files are read`);
  const files = opening.move();
  return { sources, notes, [Symbol.asyncDispose]: () => files.disposeAsync() };
}
