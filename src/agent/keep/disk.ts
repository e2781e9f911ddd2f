import { statfs } from 'node:fs/promises';
import type { Room } from '../decide/budget.ts';

/** What the file system of that folder has, counted as the kubelet does: what root alone may use is not available. */
export async function diskOf(folder: string): Promise<Room['disk']> {
  const { bsize, blocks, bavail } = await statfs(folder);
  return { availableBytes: bavail * bsize, capacityBytes: blocks * bsize };
}
