import { once } from 'node:events';
import type { ServerHttp2Stream } from 'node:http2';

/** Writes to a hub, and waits until it takes more. Resolves at once when the signal aborts. Never rejects. */
export async function writeChunk(
  stream: ServerHttp2Stream,
  chunk: string | Uint8Array,
  signal: AbortSignal,
): Promise<void> {
  if (signal.aborted || stream.destroyed || stream.write(chunk)) return;
  await once(stream, 'drain', { signal }).catch(() => {});
}
