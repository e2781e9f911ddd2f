import type { Socket } from 'node:net';
import * as v from 'valibot';
import {
  type LinkHello,
  type LinkWelcome,
  linkHelloSchema,
  longestLinkLineBytes,
} from '../../link/protocol.ts';
import { readableOrClosed } from '../../link/readable-or-closed.ts';
import { writeLine } from '../../link/write-line.ts';

/** The first line of an agent is none, or is followed by something before it was answered. */
export class MalformedHello extends Error {
  override readonly name = 'MalformedHello';
}

/**
 * Reads the first line of an agent, and nothing after it. Throws a MalformedHello, or the signal's reason; another error
 * if the connection breaks off.
 */
export async function readHello(socket: Socket, signal: AbortSignal): Promise<LinkHello> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for (;;) {
    signal.throwIfAborted();
    const chunk: unknown = socket.read();
    if (!Buffer.isBuffer(chunk)) {
      if (socket.readableEnded || socket.destroyed) throw new MalformedHello('the connection ended first');
      await readableOrClosed(socket, signal);
      continue;
    }
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes > longestLinkLineBytes) throw new MalformedHello('the first line is too long');
    const at = chunk.indexOf(0x0a);
    if (at < 0) continue;
    if (at + 1 < chunk.length) throw new MalformedHello('something follows the first line');
    return parseHello(Buffer.concat(chunks).toString('utf8'));
  }
}

function parseHello(line: string): LinkHello {
  const parsed = v.safeParse(v.pipe(v.string(), v.parseJson(), linkHelloSchema), line);
  if (!parsed.success) throw new MalformedHello('the first line is no hello');
  return parsed.output;
}

/** Answers an agent; throws the signal's reason if it does not take the answer. */
export async function writeWelcome(socket: Socket, answer: LinkWelcome, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  const { promise, reject } = Promise.withResolvers<never>();
  const abort = () => reject(signal.reason);
  signal.addEventListener('abort', abort, { once: true });
  await Promise.race([writeLine(socket, answer), promise]).finally(() =>
    signal.removeEventListener('abort', abort),
  );
}
