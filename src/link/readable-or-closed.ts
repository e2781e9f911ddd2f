import { once } from 'node:events';
import type { Socket } from 'node:net';

/** Resolves when there is something to read, or never will be. Rejects with the socket's error, or an AbortError. */
export async function readableOrClosed(socket: Socket, signal: AbortSignal): Promise<void> {
  const waiting = new AbortController();
  const either = { signal: AbortSignal.any([signal, waiting.signal]) };
  try {
    await Promise.race(['readable', 'end', 'close'].map((event) => once(socket, event, either)));
  } finally {
    waiting.abort();
  }
}
