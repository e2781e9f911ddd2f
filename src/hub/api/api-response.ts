import type { IncomingMessage, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { constants, createGzip } from 'node:zlib';
import { type StatusError, statusOf } from './status-error.ts';

/** Headers of every answer: nothing that is sent may be taken for a page. */
export const commonHeaders = {
  'x-content-type-options': 'nosniff',
  'cache-control': 'no-cache, private',
} as const;

/** Sends an error as a Status; if a part of another answer has been sent, that is cut. */
export function sendError(response: ServerResponse, error: StatusError): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  sendJson(response, statusOf(error), {
    status: error.code,
    headers: { ...(error.retryAfterSeconds !== undefined && { 'retry-after': error.retryAfterSeconds }) },
  });
}

export type JsonHead = {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string | number>>;
};

/** Sends an object, or JSON that has been written already. */
export function sendJson(
  response: ServerResponse,
  body: object | string,
  { status = 200, headers = {} }: JsonHead = {},
): void {
  const bytes = Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
  response.writeHead(status, {
    ...commonHeaders,
    'content-type': 'application/json',
    'content-length': bytes.length,
    ...headers,
  });
  response.end(bytes);
}

/** Sends a short text, as health checks answer. */
export function sendText(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { ...commonHeaders, 'content-type': 'text/plain; charset=utf-8' });
  response.end(text);
}

/** As kube-apiserver: below this, compressing costs more time than it saves. */
const compressFromBytes = 128 * 1024;
const chunkBytes = 64 * 1024;

/**
 * Sends JSON that is made while it is sent, so that a slow reader of a long list holds up no more than a chunk; others are
 * served between two chunks. Rejects if the client goes or the signal aborts: then the answer is cut.
 */
export async function sendPieces(
  { request, response, signal }: Exchange,
  pieces: Iterable<string>,
  headers: Readonly<Record<string, string>>,
): Promise<void> {
  const chunks = chunksOf(pieces);
  const first: Buffer[] = [];
  let bytes = 0;
  for (const chunk of chunks) {
    first.push(chunk);
    bytes += chunk.length;
    if (bytes >= compressFromBytes) break;
  }
  const isCompressed = bytes >= compressFromBytes && acceptsGzip(request.headers['accept-encoding']);
  response.writeHead(200, {
    ...commonHeaders,
    'content-type': 'application/json',
    vary: 'Accept-Encoding',
    ...headers,
    ...(isCompressed && { 'content-encoding': 'gzip' }),
    ...(bytes < compressFromBytes && { 'content-length': bytes }),
  });
  const source = Readable.from(inTurns(first, chunks));
  if (isCompressed)
    await pipeline(source, createGzip({ level: constants.Z_BEST_SPEED }), response, { signal });
  else await pipeline(source, response, { signal });
}

/** A request, its response, and a signal that aborts when the client is gone or it takes too long. */
export type Exchange = {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly signal: AbortSignal;
};

/** Whether Accept-Encoding has gzip, and not with q=0. */
export function acceptsGzip(header: string | readonly string[] | undefined): boolean {
  const codings = (typeof header === 'string' ? header : '').toLowerCase().split(',');
  return codings.some((coding) => {
    const [, q = '1'] = /^\s*gzip\s*(?:;\s*q=([0-9.]{1,5})\s*)?$/.exec(coding) ?? [undefined, '0'];
    return Number(q) > 0;
  });
}

/** Can be gone through in two parts: `break` does not end it. */
function chunksOf(pieces: Iterable<string>): Iterable<Buffer> {
  const iterator = pieces[Symbol.iterator]();
  const next = (): IteratorResult<Buffer, undefined> => {
    let text = '';
    for (let piece = iterator.next(); !piece.done; piece = iterator.next()) {
      text += piece.value;
      if (text.length >= chunkBytes) break;
    }
    return text === '' ? { done: true, value: undefined } : { done: false, value: Buffer.from(text) };
  };
  return { [Symbol.iterator]: () => ({ next }) };
}

async function* inTurns(first: Iterable<Buffer>, rest: Iterable<Buffer>): AsyncGenerator<Buffer> {
  yield* first;
  for (const chunk of rest) {
    yield chunk;
    await nextTurn();
  }
}
