import { randomUUID } from 'node:crypto';
import { open, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { NamedCapture } from '../../commands/open-capture.ts';
import { openCaptureFiles } from '../../pcap/read/capture-reader.ts';

/**
 * A file without a name: where a download waits until all of it is there and it can be merged with others. However the
 * process ends, nothing is left of it.
 */
export type SpoolFile = AsyncDisposable & {
  readonly bytes: number;
  /** Appends. Throws the errors of write(2). */
  readonly write: (bytes: Uint8Array) => Promise<void>;
  /** Forgets what was written: a download starts over. */
  readonly clear: () => Promise<void>;
  /** What was written, as a capture of that name. It can be opened more than once, as long as the file is. */
  readonly capture: (name: string) => NamedCapture;
};

/** Makes one in the folder, readable by nobody else. Throws the errors of open(2). */
export async function openSpoolFile(folder: string): Promise<SpoolFile> {
  const path = join(folder, `.podcap-${randomUUID()}`);
  const handle = await open(path, 'wx+', 0o600);
  await unlink(path);
  let bytes = 0;
  return {
    get bytes() {
      return bytes;
    },
    async write(chunk) {
      for (let at = 0; at < chunk.length; ) {
        const { bytesWritten } = await handle.write(chunk, at, chunk.length - at, bytes);
        at += bytesWritten;
        bytes += bytesWritten;
      }
    },
    async clear() {
      await handle.truncate(0);
      bytes = 0;
    },
    capture(name) {
      // It is closed with the spool file, not with a reader.
      const shared = { fd: handle.fd, close: async () => {} };
      return {
        name,
        fileBytes: bytes,
        open: (options) => openCaptureFiles([{ path: name, handle: shared, fileBytes: bytes }], options),
      };
    },
    [Symbol.asyncDispose]: () => handle.close(),
  };
}
