import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { ifExists } from '../../../base/fs-errors.ts';

/** A folder that is held open: its path names this folder, and never one that is made under its name later. */
export type HeldFolder = AsyncDisposable & {
  /** Of the folder as it is held; what is in it can be opened by joining a name. ENOENT once it has been deleted. */
  readonly path: string;
};

/** Undefined if there is none. Throws the errors of open(2). */
export async function holdFolder(path: string): Promise<HeldFolder | undefined> {
  const flags = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;
  const handle = await ifExists(open(path, flags));
  if (!handle) return undefined;
  // With the dot, lstat(2) is about the folder and not about the link in /proc.
  return { path: `/proc/self/fd/${handle.fd}/.`, [Symbol.asyncDispose]: () => handle.close() };
}
