import type { IncomingHttpHeaders, ServerHttp2Stream } from 'node:http2';
import { respondUntilComplete } from '../../link/complete-answer.ts';
import type { LinkError } from '../../link/protocol.ts';

/**
 * Answers the requests of one path. It sends the head (`respondUntilComplete`) and ends the stream itself, or calls
 * `answerError`. What it throws
 * becomes a 500, or cuts the stream if the head has been sent: never an end that is none. It returns once it holds nothing
 * for the request any more.
 */
export type LinkHandler = (request: LinkRequest) => Promise<void>;

export type LinkRequest = {
  readonly stream: ServerHttp2Stream;
  readonly method: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
  /** Where the hub is that asks. */
  readonly hub: HubAddress;
  /** Aborts when the stream ends, however it ends, or its connection. */
  readonly signal: AbortSignal;
};

export type HubAddress = { readonly address: string; readonly port: number };

/** Answers with an error, which the hub turns into a Status. Does nothing if the stream is gone or has been answered. */
export function answerError(stream: ServerHttp2Stream, status: number, error: LinkError): void {
  if (stream.destroyed || stream.headersSent) return;
  respondUntilComplete(stream, { ':status': status, 'content-type': 'application/json' });
  stream.end(JSON.stringify(error));
}

/**
 * Ends a stream that is not complete, so that the hub sees it. `stream.close()` would not do: it ends the stream properly
 * first, whatever its code.
 */
export function cutStream(stream: ServerHttp2Stream, why: string): void {
  if (!stream.destroyed) stream.destroy(new Error(why));
}
