import { statfs } from 'node:fs/promises';

/** A file system; what root alone may use is not available. */
export type FreeSpace = { readonly availableBytes: number; readonly capacityBytes: number };

/** What the file system of that folder has, counted as the kubelet does: what root alone may use is not available. */
export async function freeSpaceOf(folder: string): Promise<FreeSpace> {
  const { bsize, blocks, bavail } = await statfs(folder);
  return { availableBytes: bavail * bsize, capacityBytes: blocks * bsize };
}
