import type { Writable } from 'node:stream';
import { hasCode } from '../base/fs-errors.ts';
import { type ReaderPace, readerPaceAfter, startingPace } from '../base/reader-pace.ts';
import { every } from '../base/timers.ts';

/** Standard output, as long as a program reads it. */
export type Output = Disposable & {
  /** Resolves when the bytes are written, or will never be. Rejects on errors other than a closed pipe. */
  readonly write: (bytes: Uint8Array) => Promise<Written>;
};

/** `closed`: the reader has closed the pipe. `unread`: it has taken nothing, or too little, for too long. */
export type Written = 'written' | 'closed' | 'unread';

export type OutputOptions = {
  readonly unreadMs: number;
  /** Gives up a reader, too, who takes less than 64 KiB/s for that long: what is written to it keeps files open. */
  readonly mustKeepUp?: boolean;
};

/**
 * A full pipe can be written again when its reader has taken a page. In pieces of this size, each piece that is written
 * shows that somebody reads, however slowly.
 */
const pieceBytes = 4_096;

/** Writes to a stream, one piece at a time; gives up when no byte of a piece is taken for `unreadMs`. */
export function outputTo(stream: Writable, { unreadMs, mustKeepUp = false }: OutputOptions): Output {
  // Each write reports its own error. Without a listener, the same error would also end the process.
  stream.on('error', () => {});
  /** From then on, the stream is destroyed, and a write fails in another way. */
  let isClosed = false;
  /** Of the piece that is being written. */
  let giveUp: (() => void) | undefined;
  const timer = setTimeout(() => giveUp?.(), unreadMs);
  const taken = { bytes: 0, wasIdle: true };
  let pace: ReaderPace | 'tooSlow' = startingPace;
  const checkEveryMs = Math.min(1_000, unreadMs);
  const checking = every(checkEveryMs, async () => {
    if (!mustKeepUp || pace === 'tooSlow') return;
    const { bytes: takenBytes, wasIdle } = taken;
    pace = readerPaceAfter(pace, { checkEveryMs, takenBytes, wasIdle, slowAfterMs: unreadMs });
    [taken.bytes, taken.wasIdle] = [0, giveUp === undefined];
    if (pace === 'tooSlow') giveUp?.();
  });

  function writePiece(piece: Uint8Array): Promise<Written> {
    timer.refresh();
    return new Promise((resolve, reject) => {
      giveUp = () => resolve('unread');
      stream.write(piece, (error) => {
        taken.bytes += piece.length;
        if (!error) resolve('written');
        else if (isClosed || hasCode(error, 'EPIPE')) {
          isClosed = true;
          resolve('closed');
        } else reject(error);
      });
    });
  }

  return {
    async write(bytes) {
      for (let at = 0; at < bytes.length; at += pieceBytes) {
        const written = await writePiece(bytes.subarray(at, at + pieceBytes));
        if (written !== 'written') return written;
        if (pace === 'tooSlow') return 'unread';
      }
      // Until the next one, the reader waits for this program.
      giveUp = undefined;
      return 'written';
    },
    [Symbol.dispose]() {
      clearTimeout(timer);
      checking[Symbol.dispose]();
    },
  };
}
