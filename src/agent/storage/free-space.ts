import { statfs } from 'node:fs/promises';

/** The space of a file system. What is reserved for root is not available. */
export type FreeSpace = { readonly availableBytes: number; readonly capacityBytes: number };

/** The space of the folder's file system, counted as the kubelet counts it. Throws what statfs(2) says. */
export async function freeSpaceOf(folder: string): Promise<FreeSpace> {
  const { bsize, blocks, bavail } = await statfs(folder);
  return { availableBytes: bavail * bsize, capacityBytes: blocks * bsize };
}
