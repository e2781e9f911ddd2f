import { closeSync, constants, fstatSync, openSync, type Stats } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { hasCode } from './fs-errors.ts';

/** A regular file, open for reading; or why what has that path cannot be read, to be put after the path. */
export type PlainFile =
  | { readonly kind: 'file'; readonly handle: FileHandle; readonly stats: Stats }
  | Unreadable;

/** The same with a file descriptor, which the caller closes. */
export type PlainDescriptor =
  | { readonly kind: 'file'; readonly fd: number; readonly stats: Stats }
  | Unreadable;

type Unreadable = { readonly kind: 'unreadable'; readonly why: string };

/**
 * Opens a file in a folder that others can write to. A link is not followed, nothing is waited for, and anything but a
 * regular file is closed again. Throws all other errors of open(2), ENOENT for example.
 */
export async function openPlainFile(path: string): Promise<PlainFile> {
  await using opening = new AsyncDisposableStack();
  let handle: FileHandle;
  try {
    handle = opening.use(await open(path, plainFileFlags));
  } catch (error) {
    return refusalOf(error);
  }
  const stats = await handle.stat();
  if (!stats.isFile()) return { kind: 'unreadable', why: notRegular };
  opening.move();
  return { kind: 'file', handle, stats };
}

/** As openPlainFile, at once: for a command that opens thousands of files and does nothing else meanwhile. */
export function openPlainFileSync(path: string): PlainDescriptor {
  let fd: number;
  try {
    fd = openSync(path, plainFileFlags);
  } catch (error) {
    return refusalOf(error);
  }
  const stats = fstatSync(fd);
  if (stats.isFile()) return { kind: 'file', fd, stats };
  closeSync(fd);
  return { kind: 'unreadable', why: notRegular };
}

const plainFileFlags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK | constants.O_NOCTTY;

/** Throws what is no refusal. */
function refusalOf(error: unknown): Unreadable {
  const why = refusals.find(([code]) => hasCode(error, code))?.[1];
  if (why === undefined) throw error;
  return { kind: 'unreadable', why };
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
