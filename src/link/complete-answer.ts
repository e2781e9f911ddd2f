import type { OutgoingHttpHeaders, ServerHttp2Stream } from 'node:http2';
import { completeAnswerTrailer } from './protocol.ts';

/**
 * Sends the head of an agent's answer. Once the stream has been ended and all of it was sent, the trailer says that
 * nothing is missing. Without it, an answer that is cut by `close` or `destroy` looks to the hub like one that ended:
 * Node.js ends the stream before it resets it.
 */
export function respondUntilComplete(stream: ServerHttp2Stream, headers: OutgoingHttpHeaders): void {
  stream.once('wantTrailers', () => {
    if (!stream.closed && !stream.destroyed) stream.sendTrailers({ [completeAnswerTrailer]: '1' });
  });
  stream.respond(headers, { waitForTrailers: true });
}
