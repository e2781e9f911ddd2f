import { readdir } from 'node:fs/promises';
import { parseRingFile, type RingFile } from './file-names.ts';

/**
 * What has a capture file's name in a Pod's folder, in no order. It can still be anything but a folder, because tcpdump's
 * user may write there. A folder holds no packets and cannot be deleted like a file, so it is no part of a ring. Throws
 * what readdir(2) says.
 */
export async function listRingFiles(folder: string): Promise<RingFile[]> {
  const entries = await readdir(folder, { withFileTypes: true });
  return entries.flatMap((entry) => (entry.isDirectory() ? [] : (parseRingFile(entry.name) ?? [])));
}
