import type { ServerResponse } from 'node:http';

/** Writes lines to a client, as fast as it reads and not faster. */
export type LineWriter = {
  /**
   * Lines that come at once are written together. Resolves when there is room for more.
   *
   * @throws ReaderStalled if the client has not read for too long; the signal's reason once it aborts.
   */
  readonly write: (line: Buffer) => Promise<void>;
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
    async write(line) {
      signal.throwIfAborted();
      if (!hasRoom) await room();
      batch.push(line);
      bytes += line.length;
      planned ??= setImmediate(flush);
      if (bytes < batchBytes) return;
      flush();
      if (!hasRoom) await room();
    },
  };
}
