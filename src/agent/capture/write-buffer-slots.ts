import { type FileHandle, open, rm } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * Which tcpdumps may hold a short-lived ring in memory (preload/write-buffer.c): as many at a time as this file has bytes. Who
 * has locked a byte has that slot, and the kernel takes it back when the process ends: nobody asks, and nobody forgets.
 *
 * The file has no name, so that only those have it who are given its descriptor.
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
