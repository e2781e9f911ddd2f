import type { Stats } from 'node:fs';
import { type FileHandle, link, open, readlink, realpath, rename, stat, unlink } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { dirname, resolve } from 'node:path';
import { hasCode, ifExists } from '../base/fs-errors.ts';
import { deleteAtExit, deleteOnSignal } from './delete-on-signal.ts';
import { type DirectOutputOptions, openDirectOutput } from './direct-output.ts';

/**
 * A file that appears under its name only when it is complete. Until then it is `<name>.part`, and if it is disposed of
 * before, or a signal ends the process, it is deleted, and what had that name stays.
 */
export type OutputFile = AsyncDisposable & {
  readonly kind: 'open';
  /** Throws the errors of write(2). */
  readonly write: (bytes: Uint8Array) => Promise<void>;
  /** Gives the file its name, once its bytes are on the disk. Throws the errors of fsync(2), close(2) and rename(2). */
  readonly complete: () => Promise<void>;
};

export type OutputFileResult =
  | OutputFile
  /** It is a pipe, which has a reader now. */
  | { readonly kind: 'pipe'; readonly pipe: Socket }
  /** Somebody else writes `<name>.part` at this moment, or was killed while doing so. */
  | { readonly kind: 'exists'; readonly partPath: string }
  /** There is such a file, which must stay. */
  | { readonly kind: 'taken' }
  /** A capture is no text for people. */
  | { readonly kind: 'terminal' };

export type OutputFileOptions = DirectOutputOptions & {
  /** Replaced unless it must be kept. */
  readonly existing?: 'replaced' | 'kept';
  /**
   * A signal ends the process, and deletes `<name>.part` before. Or the caller sees to signals, and it is deleted if the
   * process exits before the file is complete.
   */
  readonly signals?: 'handled' | 'callers';
};

/**
 * Starts to write a file, which may exist and is replaced then by one of the same mode; a link stays, and what it leads
 * to is replaced or made. A device or a pipe is written as it is, once the pipe has a reader. Throws the errors of open(2),
 * and the reason of the signal.
 */
export async function createOutputFile(
  path: string,
  options: OutputFileOptions = {},
): Promise<OutputFileResult> {
  const existing = await ifExists(stat(path));
  if (existing && !existing.isFile()) return await writeDirectly(path, existing, options);
  const target = await targetOf(path);
  if (existing && options.existing === 'kept') return { kind: 'taken' };
  const partPath = `${target}.part`;
  try {
    // Nobody else may read it before it has the mode of the file that it replaces.
    const handle = await open(partPath, 'wx', existing ? 0o600 : 0o666);
    return await likeExisting(handle, existing, writePart({ handle, partPath, target, ...options }));
  } catch (error) {
    if (hasCode(error, 'EEXIST')) return { kind: 'exists', partPath };
    throw error;
  }
}

/** Where a link leads to, also if that does not exist; throws ELOOP if it leads nowhere. */
async function targetOf(path: string): Promise<string> {
  const target = await ifExists(realpath(path));
  if (target !== undefined) return target;
  try {
    const leadsTo = await readlink(path);
    return await targetOf(resolve(await realpath(dirname(path)), leadsTo));
  } catch (error) {
    if (hasCode(error, 'ENOENT') || hasCode(error, 'EINVAL')) return path;
    throw error;
  }
}

/** Gives the file the mode of the one that it replaces, and its owner, which only root can, and not in each container. */
async function likeExisting(
  handle: FileHandle,
  existing: Stats | undefined,
  file: OutputFile,
): Promise<OutputFile> {
  if (!existing) return file;
  try {
    const { uid, gid, mode } = await handle.stat();
    if (process.geteuid?.() === 0 && (uid !== existing.uid || gid !== existing.gid))
      await handle.chown(existing.uid, existing.gid).catch(unlessForbidden);
    if (mode !== existing.mode) await handle.chmod(existing.mode & 0o777);
    return file;
  } catch (error) {
    await file[Symbol.asyncDispose]();
    throw error;
  }
}

function unlessForbidden(error: unknown): void {
  if (!hasCode(error, 'EPERM')) throw error;
}

type PartFile = OutputFileOptions & {
  readonly handle: FileHandle;
  readonly partPath: string;
  readonly target: string;
};

function writePart({ handle, partPath, target, existing, signals }: PartFile): OutputFile {
  const deletion = signals === 'callers' ? deleteAtExit(partPath) : deleteOnSignal(partPath);
  let isClosed = false;
  let isKept = false;
  const close = async () => {
    if (!isClosed) await handle.close();
    isClosed = true;
  };
  return {
    kind: 'open',
    write: (bytes) => writeAll(handle, bytes),
    async complete() {
      await handle.sync();
      await close();
      try {
        await (existing === 'kept' ? renameWithoutReplacing(partPath, target) : rename(partPath, target));
      } catch (error) {
        // Whatever has taken the name meanwhile, these bytes are complete.
        isKept = hasCode(error, 'EEXIST');
        throw error;
      }
      isKept = true;
      deletion[Symbol.dispose]();
    },
    async [Symbol.asyncDispose]() {
      await close();
      if (!isKept) await ifExists(unlink(partPath));
      deletion[Symbol.dispose]();
    },
  };
}

/** As rename(2), but EEXIST if there is a file of that name now, where the file system can say it. */
async function renameWithoutReplacing(from: string, to: string): Promise<void> {
  try {
    await link(from, to);
    await unlink(from);
  } catch (error) {
    const hasLinks = !['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'].some((code) => hasCode(error, code));
    if (hasLinks) throw error;
    await rename(from, to);
  }
}

async function writeDirectly(
  path: string,
  stats: Stats,
  options: DirectOutputOptions,
): Promise<OutputFileResult> {
  const opened = await openDirectOutput(path, stats, options);
  if (opened.kind !== 'device') return opened;
  const { handle } = opened;
  return {
    kind: 'open',
    write: (bytes) => writeAll(handle, bytes),
    complete: async () => {},
    [Symbol.asyncDispose]: () => handle.close(),
  };
}

/** write(2) can take less than it is given. */
async function writeAll(handle: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length; ) {
    const { bytesWritten } = await handle.write(bytes, at);
    at += bytesWritten;
  }
}
