import type { FolderState } from '../storage/capture-folders.ts';
import type { DiskSample } from '../storage/disk-sampling.ts';
import type { FreeSpace } from '../storage/free-space.ts';

/** A sample of the disk, brought up to date with what the captures have written and deleted since. */
export type ObservedDisk = {
  /** What is written since is not available any more. */
  readonly disk: FreeSpace;
  /** What is deleted since is not available yet. */
  readonly deletedBytes: number;
};

/**
 * Makes the sample and the newest sizes of the captures agree. Otherwise what one of them wrote in between would count
 * neither as its growth nor as space that is taken, and space that is free by now would be freed once more. Pure.
 */
export function observedDisk(
  { disk, bytesOf }: DiskSample,
  folders: ReadonlyMap<string, Pick<FolderState, 'bytes'>>,
): ObservedDisk {
  let writtenBytes = 0;
  let deletedBytes = 0;
  for (const uid of new Set([...bytesOf.keys(), ...folders.keys()])) {
    const bytes = (folders.get(uid)?.bytes ?? 0) - (bytesOf.get(uid) ?? 0);
    if (bytes > 0) writtenBytes += bytes;
    else deletedBytes -= bytes;
  }
  return { disk: { ...disk, availableBytes: disk.availableBytes - writtenBytes }, deletedBytes };
}
