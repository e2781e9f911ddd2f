import { once } from 'node:events';
import {
  type IncomingHttpHeaders,
  performServerHandshake,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import type { TLSSocket } from 'node:tls';
import { every } from '../../base/timers.ts';
import type { Log } from '../../kubernetes/logger.ts';
import { absentReasons, linkPing } from '../../link/protocol.ts';
import { unaskedBytes } from '../../link/unasked-bytes.ts';
import { LinkFailure } from './link-failure.ts';
import { answerError, cutStream, type HubAddress, type LinkHandler } from './link-handler.ts';
import { boundedText } from './report-text.ts';

/** Who answers which requests of a hub, by path. */
export type LinkRoutes = ReadonlyMap<string, LinkRoute>;
export type LinkRoute = { readonly methods: readonly string[]; readonly handle: LinkHandler };

export type LinkSessionOptions = {
  readonly hub: HubAddress;
  readonly routes: LinkRoutes;
  readonly ping?: { readonly everyMs: number; readonly deadAfterMs: number };
  readonly log: Log;
  /** Ends the connection. */
  readonly signal: AbortSignal;
};

/** 200 readers, and what a hub asks for beside them. */
const mostStreams = 256;

/** What a hub can make the agent keep in memory. It sends no bodies, and few headers. */
const bounds = {
  settings: {
    maxConcurrentStreams: mostStreams,
    maxHeaderListSize: 65_536,
    initialWindowSize: 65_535,
    enablePush: false,
  },
  maxHeaderListPairs: 64,
  maxSettings: 16,
  maxOutstandingPings: 10,
  maxSessionMemory: 64,
  strictSingleValueFields: true,
} as const;

/**
 * Answers a hub's requests on a connection that it has welcomed, until the connection ends or the signal. Returns why it
 * has ended; undefined after the signal. Everything that handlers do for it has returned by then.
 */
export async function serveLink(
  socket: TLSSocket,
  options: LinkSessionOptions,
): Promise<LinkFailure | undefined> {
  const { signal } = options;
  const running = new Set<Promise<void>>();
  const session = performServerHandshake(socket, bounds);
  let failure: LinkFailure | undefined;
  const close = () => {
    session.destroy();
    // After a GOAWAY, the session waits until the hub closes the connection, which it may never do.
    socket.destroy();
  };
  const end = (why: LinkFailure) => {
    failure ??= why;
    close();
  };
  session.on('error', (error: Error) => end(new LinkFailure('Protocol', error.message, error)));
  session.on('stream', (stream, headers) => {
    const answering = answer(stream, headers, options).finally(() => running.delete(answering));
    running.add(answering);
  });
  using _alive = keepAlive(session, socket, { ...linkPing, ...options.ping, end });
  using _quiet = watchFlood(socket, end);
  signal.addEventListener('abort', close);
  try {
    if (signal.aborted) close();
    if (!session.closed || !session.destroyed) await once(session, 'close').catch(() => {});
  } finally {
    signal.removeEventListener('abort', close);
    close();
  }
  await Promise.all(running);
  if (signal.aborted) return undefined;
  return failure ?? new LinkFailure('Closed', 'the hub ended the connection');
}

/**
 * A connection that is cut without a word is noticed by pings alone. Whatever the hub sends counts as an answer: on a slow
 * network, a ping waits behind the bytes of recordings.
 */
function keepAlive(
  session: ServerHttp2Session,
  socket: TLSSocket,
  {
    everyMs,
    deadAfterMs,
    end,
  }: NonNullable<LinkSessionOptions['ping']> & { end: (why: LinkFailure) => void },
): Disposable {
  let { bytesRead } = socket;
  const dead = setTimeout(
    () => end(new LinkFailure('Silent', `no answer for ${deadAfterMs / 1_000} s`)),
    deadAfterMs,
  );
  const look = () => {
    if (socket.bytesRead === bytesRead) return;
    ({ bytesRead } = socket);
    dead.refresh();
  };
  const pings = every(everyMs, async () => {
    look();
    if (!session.destroyed) session.ping(look);
  });
  return {
    [Symbol.dispose]() {
      clearTimeout(dead);
      pings[Symbol.dispose]();
    },
  };
}

/** A hub sends requests alone: their heads, and little else. */
const mostUnaskedBytes = 8 * 1024 * 1024;
const lookEveryMs = 1_000;

/** A hub that is busy with nothing but frames keeps the agent from its captures. */
function watchFlood(socket: TLSSocket, end: (why: LinkFailure) => void): Disposable {
  const unasked = unaskedBytes(mostUnaskedBytes);
  let before = socket.bytesRead;
  return every(lookEveryMs, async () => {
    const receivedBytes = socket.bytesRead - before;
    before = socket.bytesRead;
    if (unasked.isTooMuch({ receivedBytes, askedBytes: 0 }))
      end(new LinkFailure('Protocol', 'the hub sends more than requests can be'));
  });
}

/** Never rejects. */
async function answer(
  stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
  { hub, routes, log }: LinkSessionOptions,
): Promise<void> {
  const ending = new AbortController();
  stream.on('error', () => {});
  stream.on('close', () => ending.abort());
  // A hub sends no bodies.
  stream.resume();
  const [path, query] = split(headers[':path'] ?? '');
  const method = headers[':method'] ?? '';
  const route = routes.get(path);
  if (!route)
    return answerError(stream, 404, {
      reason: absentReasons.path,
      message: `this agent does not know ${boundedText(path, 128)}`,
    });
  if (!route.methods.includes(method))
    return answerError(stream, 405, {
      reason: 'MethodNotAllowed',
      message: `${boundedText(method, 16)} is not known here`,
    });
  try {
    const request = { stream, method, query: new URLSearchParams(query), headers, hub };
    await route.handle({ ...request, signal: ending.signal });
  } catch (error) {
    if (!ending.signal.aborted) log.warn({ hub, path, err: error }, 'failed to answer a hub');
    answerError(stream, 500, { reason: 'InternalError', message: 'the agent failed, and has logged why' });
  }
  // What is not ended properly must not look so.
  if (!stream.writableEnded) cutStream(stream, 'the answer is not complete');
}

/** The path and the query. */
function split(target: string): readonly [string, string] {
  const at = target.indexOf('?');
  return at < 0 ? [target, ''] : [target.slice(0, at), target.slice(at + 1)];
}
