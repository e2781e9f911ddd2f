import type { Writable } from 'node:stream';
import { hasCode } from '../base/fs-errors.ts';

/** Standard output, as long as a program reads it. */
export type Output = {
  /** Resolves when the bytes are written; false if the reader has closed the pipe. Rejects on other errors. */
  readonly write: (bytes: Uint8Array) => Promise<boolean>;
};

/** Writes to a stream, one chunk at a time. */
export function outputTo(stream: Writable): Output {
  // Each write reports its own error. Without a listener, the same error would also end the process.
  stream.on('error', () => {});
  return {
    write: (bytes) =>
      new Promise((resolve, reject) => {
        stream.write(bytes, (error) => {
          if (!error) resolve(true);
          else if (hasCode(error, 'EPIPE')) resolve(false);
          else reject(error);
        });
      }),
  };
}
