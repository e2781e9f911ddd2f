import { closeSync, readSync } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { hasCode } from '../../base/fs-errors.ts';
import { openPlainFileSync } from '../../base/plain-file.ts';

/** Bytes that are read once, in order: of a file as it was when it was opened, or of a stream. */
export type ByteInput = AsyncDisposable & {
  /** The path, or what people call it: "standard input". */
  readonly name: string;
  /**
   * Reads at least one byte into the target, which is not empty; 0: the end. A promise only where there is something to
   * wait for; it rejects with the errors of read(2).
   */
  readonly read: (target: Uint8Array) => number | Promise<number>;
};

/** An open input, or why there is none; the message has the path. */
export type OpenedInput =
  | { readonly kind: 'open'; readonly input: ByteInput }
  | { readonly kind: 'unreadable'; readonly message: string };

/** A regular file that is open already. The reader of the capture closes it. */
export type OpenFile = {
  readonly path: string;
  readonly handle: Pick<FileHandle, 'fd' | 'close'>;
  readonly fileBytes: number;
};

/** Opens a file as openPlainFile does; a file that is not there is a value too. Throws other errors of open(2). */
export function openFileInput(path: string): OpenedInput {
  try {
    const opened = openPlainFileSync(path);
    if (opened.kind === 'unreadable') return { kind: 'unreadable', message: `${path} ${opened.why}` };
    const { fd, stats } = opened;
    return {
      kind: 'open',
      input: descriptorInput({ path, fd, fileBytes: stats.size, close: async () => closeSync(fd) }),
    };
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return { kind: 'unreadable', message: `${path} does not exist` };
    throw error;
  }
}

/** Reads the first `fileBytes` of a file: what its writer appends later is not read. */
export function fileInput({ path, handle, fileBytes }: OpenFile): ByteInput {
  return descriptorInput({ path, fd: handle.fd, fileBytes, close: () => handle.close() });
}

type Descriptor = Pick<OpenFile, 'path' | 'fileBytes'> & {
  readonly fd: number;
  readonly close: () => Promise<void>;
};

/** Reads at once: to wake up another thread takes longer than to read some 10 kB, and a merge of files waits anyway. */
function descriptorInput({ path, fd, fileBytes, close }: Descriptor): ByteInput {
  let position = 0;
  return {
    name: path,
    read: (target) => {
      const length = Math.min(target.length, fileBytes - position);
      if (length <= 0) return 0;
      try {
        const bytesRead = readSync(fd, target, 0, length, position);
        position += bytesRead;
        return bytesRead;
      } catch (error) {
        return Promise.reject(error);
      }
    },
    [Symbol.asyncDispose]: close,
  };
}

/** Reads a stream, whatever the sizes of its chunks. A stream that waits for more bytes can be disposed of. */
export function streamInput(stream: AsyncIterable<Uint8Array>, name: string): ByteInput {
  const chunks = stream[Symbol.asyncIterator]();
  let chunk: Uint8Array = new Uint8Array(0);
  let from = 0;
  return {
    name,
    read: async (target) => {
      while (from === chunk.length) {
        const next = await chunks.next();
        if (next.done) return 0;
        chunk = next.value;
        from = 0;
      }
      const part = chunk.subarray(from, from + target.length);
      target.set(part);
      from += part.length;
      return part.length;
    },
    [Symbol.asyncDispose]: async () => {
      // A generator that waits for a chunk would return only after it has come.
      if (stream instanceof Readable) stream.destroy();
      else chunks.return?.().then(undefined, () => {});
    },
  };
}
