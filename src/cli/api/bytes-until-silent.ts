import type { Readable } from 'node:stream';

/** Nothing has come for too long, and the connection was closed. */
export class SilentAnswer extends Error {}

/**
 * The bytes of an answer; throws a SilentAnswer if none come for that long. Only waiting for them counts, not what their
 * reader does in between.
 */
export async function* bytesUntilSilent(body: Readable, silenceMs: number): AsyncGenerator<Buffer, void> {
  const silent = () => body.destroy(new SilentAnswer(`nothing came for ${silenceMs / 1_000} s`));
  const reader: AsyncIterator<unknown> = body[Symbol.asyncIterator]();
  for (;;) {
    const timer = setTimeout(silent, silenceMs);
    const next = await reader.next().finally(() => clearTimeout(timer));
    if (next.done === true) return;
    if (Buffer.isBuffer(next.value)) yield next.value;
  }
}
