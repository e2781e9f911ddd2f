import { once } from 'node:events';
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  createServer,
  type IncomingHttpHeaders,
} from 'node:http2';
import { frameHeaderBytes, type StreamEnd, type StreamGap } from '../../../api/stream-frames.ts';
import { completeAnswerTrailer } from '../../../link/protocol.ts';
import { listenOnLoopback } from '../../../testbed/loopback-port.ts';
import { cutStream, type LinkHandler } from '../../link/link-handler.ts';

/** What a client got: `isCut` if the agent did not say that it is complete. */
export type LinkAnswer = {
  readonly status: number | undefined;
  readonly contentType: string | undefined;
  readonly body: Buffer;
  readonly isCut: boolean;
};

/** A handler behind real HTTP/2 on loopback, and a client with one connection to it. */
export async function linkScene(handler: LinkHandler) {
  await using opening = new AsyncDisposableStack();
  const errors: unknown[] = [];
  const running = new Set<Promise<void>>();
  const server = createServer();
  server.on('stream', (stream, headers) => {
    const ended = new AbortController();
    stream.on('error', () => {});
    stream.on('close', () => ended.abort());
    stream.resume();
    const [, query = ''] = (headers[':path'] ?? '').split('?');
    const work = handler({
      stream,
      method: headers[':method'] ?? '',
      query: new URLSearchParams(query),
      headers,
      hub: { address: '127.0.0.1', port: 1 },
      signal: ended.signal,
    })
      .catch((error: unknown) => {
        errors.push(error);
        cutStream(stream, 'the handler failed');
      })
      .finally(() => running.delete(work));
    running.add(work);
  });
  const port = await listenOnLoopback(server);
  opening.defer(() => void server.close());
  const session: ClientHttp2Session = connect(`http://127.0.0.1:${port}`, {
    settings: { initialWindowSize: 512 * 1024 },
  });
  await once(session, 'connect');
  session.setLocalWindowSize(8 * 1024 * 1024);
  opening.defer(() => session.destroy());
  const opened = opening.move();

  const request = (path: string, headers: IncomingHttpHeaders = {}): ClientHttp2Stream => {
    const stream = session.request({ ':path': path, ...headers });
    stream.on('error', () => {});
    return stream;
  };
  return {
    /** What handlers threw. */
    errors,
    session,
    request,
    get: async (path: string, headers?: IncomingHttpHeaders) => await answerOf(request(path, headers)),
    /** Resolves when no handler runs. */
    async idle(): Promise<void> {
      while (running.size > 0) await Promise.allSettled(running);
    },
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

/** Reads a stream to its end. */
export async function answerOf(stream: ClientHttp2Stream): Promise<LinkAnswer> {
  const chunks: Buffer[] = [];
  let [status, contentType]: [number | undefined, string | undefined] = [undefined, undefined];
  let isComplete = false;
  stream.on('response', (headers) => {
    [status, contentType] = [headers[':status'], headers['content-type']];
  });
  stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  stream.on('trailers', (trailers) => {
    isComplete = completeAnswerTrailer in trailers;
  });
  await new Promise((resolve) => stream.on('close', resolve));
  return { status, contentType, body: Buffer.concat(chunks), isCut: !isComplete };
}

export type ReadFrames = {
  /** Of all data frames. */
  readonly data: Buffer;
  /** D, H, G and E, in their order. */
  readonly kinds: string;
  readonly gaps: readonly StreamGap[];
  readonly end: StreamEnd | undefined;
};

/** Takes the frames of an answer apart. */
export function readFrames(body: Buffer): ReadFrames {
  const data: Buffer[] = [];
  const gaps: StreamGap[] = [];
  let [kinds, end]: [string, StreamEnd | undefined] = ['', undefined];
  for (let at = 0; at < body.length; ) {
    const kind = String.fromCharCode(body[at] ?? 0);
    const from = at + frameHeaderBytes;
    at = from + body.readUInt32BE(at + 1);
    const payload = body.subarray(from, at);
    kinds += kind;
    if (kind === 'D') data.push(payload);
    if (kind === 'G') gaps.push(JSON.parse(payload.toString()));
    if (kind === 'E') end = JSON.parse(payload.toString());
  }
  return { data: Buffer.concat(data), kinds, gaps, end };
}
