import type { ServerResponse } from 'node:http';

/** Writes lines to a client, as fast as it reads and not faster. */
export type LineWriter = {
  /**
   * Lines that come at once are written together. Resolves when there is room for more.
   *
   * @throws ReaderStalled if the client has not read for too long; the signal's reason once it aborts.
   */
  readonly write: (lines: Buffer) => Promise<void>;
  /** Hands over what is left. */
  readonly flush: () => void;
};

/** The client reads nothing. */
export class ReaderStalled extends Error {
  override readonly name = 'ReaderStalled';
}

const batchBytes = 64 * 1024;

/** A writer to a response. */
export function lineWriter(
  response: ServerResponse,
  { signal, stalledMs }: { readonly signal: AbortSignal; readonly stalledMs: number },
): LineWriter {
  let batch: Buffer[] = [];
  let bytes = 0;
  let hasRoom = true;
  let planned: NodeJS.Immediate | undefined;

  function flush(): void {
    clearImmediate(planned);
    planned = undefined;
    if (batch.length === 0 || response.destroyed) return;
    hasRoom = response.write(Buffer.concat(batch));
    batch = [];
    bytes = 0;
  }

  /** Without a copy: other watches may be sent the same bytes. */
  async function writeLarge(bytesOfLines: Buffer): Promise<void> {
    flush();
    for (let at = 0; at < bytesOfLines.length && !response.destroyed; at += batchBytes) {
      if (!hasRoom) await room();
      hasRoom = response.write(bytesOfLines.subarray(at, at + batchBytes));
    }
  }

  async function room(): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const leave = () => reject(signal.reason);
    const stalled = setTimeout(() => reject(new ReaderStalled('the client reads nothing')), stalledMs);
    response.once('drain', resolve);
    signal.addEventListener('abort', leave, { once: true });
    try {
      await promise;
      hasRoom = true;
    } finally {
      clearTimeout(stalled);
      response.off('drain', resolve);
      signal.removeEventListener('abort', leave);
    }
  }

  return {
    flush,
    async write(lines) {
      signal.throwIfAborted();
      if (!hasRoom) await room();
      if (lines.length >= batchBytes) await writeLarge(lines);
      else {
        batch.push(lines);
        bytes += lines.length;
        planned ??= setImmediate(flush);
        if (bytes < batchBytes) return;
        flush();
      }
      if (!hasRoom) await room();
    },
  };
}
