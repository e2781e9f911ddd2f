import type { Writable } from 'node:stream';
import { hasCode } from '../base/fs-errors.ts';

/** Standard output, for as long as somebody reads it. */
export type Output = {
  /** Resolves when the bytes are out of our hands: false when nobody reads any more. */
  readonly write: (bytes: Uint8Array) => Promise<boolean>;
};

export function outputTo(stream: Writable): Output {
  // Each write tells of its own error; without a listener the same one would end the process.
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
