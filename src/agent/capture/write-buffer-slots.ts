import { type FileHandle, open, rm } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * Opens the file that limits how many tcpdumps may buffer a short-lived ring in memory (preload/write-buffer.c): one
 * per byte. A process that locks a byte has that slot, and the kernel releases the lock when the process ends.
 *
 * The file has no name, so that only processes that are given its descriptor can use it. Throws on a full disk.
 */
export async function openWriteBufferSlots(folder: string, count: number): Promise<FileHandle> {
  const path = join(folder, '.memory-slots');
  const file = await open(path, 'w+');
  try {
    await rm(path, { force: true });
    await file.truncate(count);
    return file;
  } catch (error) {
    await file.close();
    throw error;
  }
}
