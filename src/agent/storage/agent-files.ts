import { lstat } from 'node:fs/promises';
import { join } from 'node:path';
import { ifExists } from '../../base/fs-errors.ts';
import { openPlainFile } from '../../base/plain-file.ts';

/** The largest of them, a record, takes 1 kB, and its filter at most 2 kB. */
const maxFileBytes = 65_536;

/**
 * The text of a file that an agent wrote into a Pod's folder; undefined if there is none, or if what is there cannot be
 * an agent's: tcpdump's user may write into the folder.
 */
export async function readAgentFile(folder: string, name: string): Promise<string | undefined> {
  const opened = await ifExists(openPlainFile(join(folder, name)));
  if (opened?.kind !== 'file') return undefined;
  await using handle = opened.handle;
  const owner = await ifExists(lstat(folder));
  if (!owner || !isAgents(opened.stats.uid, owner.uid)) return undefined;
  return opened.stats.size <= maxFileBytes ? await handle.readFile('utf8') : undefined;
}

/** The agent owns the Pod's folder, and its sticky bit keeps tcpdump's user from renaming files of others. */
export function isAgents(userId: number, folderOwnerId: number): boolean {
  return userId === folderOwnerId || userId === 0;
}
