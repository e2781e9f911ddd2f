import type { Stats } from 'node:fs';
import { constants, type FileHandle, open } from 'node:fs/promises';
import { hasCode } from './fs-errors.ts';

/** A regular file, open for reading; or why what has that path cannot be read, to be put after the path. */
export type PlainFile =
  | { readonly kind: 'file'; readonly handle: FileHandle; readonly stats: Stats }
  | { readonly kind: 'unreadable'; readonly why: string };

/**
 * Opens a file in a folder that others can write to. A link is not followed, nothing is waited for, and anything but a
 * regular file is closed again. Throws all other errors of open(2), ENOENT for example.
 */
export async function openPlainFile(path: string): Promise<PlainFile> {
  const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK, O_NOCTTY } = constants;
  await using opening = new AsyncDisposableStack();
  let handle: FileHandle;
  try {
    handle = opening.use(await open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY));
  } catch (error) {
    const why = refusals.find(([code]) => hasCode(error, code))?.[1];
    if (why === undefined) throw error;
    return { kind: 'unreadable', why };
  }
  const stats = await handle.stat();
  if (!stats.isFile()) return { kind: 'unreadable', why: notRegular };
  opening.move();
  return { kind: 'file', handle, stats };
}

const notRegular = 'is not a regular file';

/** What the owner of a file can make open(2) say about it. */
const refusals = [
  ['ELOOP', 'is a link'],
  // A socket.
  ['ENXIO', notRegular],
  ['EACCES', 'cannot be read: permission denied'],
  // Its owner holds a lease (fcntl(2), F_SETLEASE): without O_NONBLOCK, open(2) waits.
  ['EAGAIN', 'cannot be read: another process holds a lease on it'],
] as const;
