import { type ClientHttp2Session, connect } from 'node:http2';
import type { Socket } from 'node:net';
import { every } from '../../base/timers.ts';
import { linkPing } from '../../link/protocol.ts';
import { unaskedBytes } from '../../link/unasked-bytes.ts';

/** What a stalled reader of one answer can keep in the hub. */
export const streamWindowBytes = 512 * 1024;
/** So that stalled answers do not keep others waiting. */
const connectionWindowBytes = 16 * 1024 * 1024;

/** What an agent can make the hub keep in memory: it opens no streams, and its answers have few headers. */
const bounds = {
  settings: {
    initialWindowSize: streamWindowBytes,
    enablePush: false,
    maxConcurrentStreams: 0,
    maxHeaderListSize: 16_384,
  },
  maxHeaderListPairs: 64,
  maxReservedRemoteStreams: 0,
  maxSettings: 16,
  maxOutstandingPings: 4,
  maxSessionInvalidFrames: 100,
  // In megabytes; frames that wait to be sent count, answers that nobody reads do not.
  maxSessionMemory: 16,
  strictSingleValueFields: true,
} as const;

/** Why the connection of an agent has ended that sent too much beside what it was asked for. */
export const floodEnding = 'Flood';

export type PingTimes = { readonly everyMs: number; readonly deadAfterMs: number };

export type AgentSession = {
  readonly session: ClientHttp2Session;
  /** Told of bytes that the hub has asked for, and that have come; less what the frames around them cost. */
  readonly onData: (bytes: number) => void;
  /** Ends session and connection at once. */
  readonly end: () => void;
};

export type SessionOptions = {
  readonly socket: Socket;
  readonly ping?: PingTimes;
  /** Why the connection has ended; called once, when it is closed. */
  readonly onEnd: (why: string) => void;
};

/** Makes the hub the HTTP/2 client on a socket that the agent has opened. */
export function openAgentSession({ socket, ping = linkPing, onEnd }: SessionOptions): AgentSession {
  const session = connect('http://agent', { ...bounds, createConnection: () => socket });
  let why: string | undefined;
  const end = () => {
    session.destroy();
    // A session that is closed waits for its last bytes to be read, and an agent may never read them.
    socket.destroy();
  };
  const endFor = (reason: string) => {
    why ??= reason;
    end();
  };
  session.on('connect', () => {
    // It can have ended within the same turn.
    if (!session.destroyed) session.setLocalWindowSize(connectionWindowBytes);
  });
  session.on('error', (error: Error) => endFor(`Protocol: ${error.message}`));
  session.on('goaway', () => endFor('Closed'));
  session.on('close', () => endFor('Closed'));
  // An agent pushes nothing.
  session.on('stream', (stream) => stream.destroy());
  const pings = keepAlive(session, socket, { ...ping, endFor });
  let askedBytes = 0;
  const flood = watchFlood(socket, () => askedBytes, endFor);
  socket.once('close', () => {
    pings[Symbol.dispose]();
    flood[Symbol.dispose]();
    endFor('Closed');
    onEnd(why ?? 'Closed');
  });
  return {
    session,
    end,
    onData(bytes) {
      askedBytes += bytes;
    },
  };
}

/** Bodies that nobody reads for the moment fill their windows, and are no flood. */
const mostUnaskedBytes = connectionWindowBytes + 8 * 1024 * 1024;
const lookEveryMs = 1_000;

/** An agent that is busy with nothing but frames keeps the hub from everyone else. */
function watchFlood(socket: Socket, askedBytes: () => number, endFor: (reason: string) => void): Disposable {
  const unasked = unaskedBytes(mostUnaskedBytes);
  let before = { received: socket.bytesRead, asked: askedBytes() };
  return every(lookEveryMs, () => {
    const now = { received: socket.bytesRead, asked: askedBytes() };
    const came = { receivedBytes: now.received - before.received, askedBytes: now.asked - before.asked };
    before = now;
    if (unasked.isTooMuch(came)) endFor(floodEnding);
    return Promise.resolve();
  });
}

/**
 * A connection that is cut without a word is noticed by pings alone. Whatever the agent sends counts as an answer: on a
 * slow network, the answer to a ping waits behind the bytes of recordings.
 */
function keepAlive(
  session: ClientHttp2Session,
  socket: Socket,
  { everyMs, deadAfterMs, endFor }: PingTimes & { readonly endFor: (reason: string) => void },
): Disposable {
  let answeredMs = performance.now();
  let { bytesRead } = socket;
  return every(everyMs, () => {
    if (socket.bytesRead !== bytesRead) answeredMs = performance.now();
    ({ bytesRead } = socket);
    if (session.closed || session.destroyed) endFor('Closed');
    else if (performance.now() - answeredMs >= deadAfterMs) endFor('Silent');
    else if (!session.connecting) {
      session.ping((error) => {
        if (!error) answeredMs = performance.now();
      });
    }
    return Promise.resolve();
  });
}
