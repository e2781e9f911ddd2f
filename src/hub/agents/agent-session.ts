import { type ClientHttp2Session, connect } from 'node:http2';
import type { Socket } from 'node:net';
import { every } from '../../base/timers.ts';
import { linkPing } from '../../link/protocol.ts';

/** What a stalled reader of one answer can keep in the hub. */
const streamWindowBytes = 512 * 1024;
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

export type PingTimes = { readonly everyMs: number; readonly deadAfterMs: number };

export type SessionOptions = {
  readonly socket: Socket;
  readonly ping?: PingTimes;
  /** Why the session has ended; called once. */
  readonly onEnd: (why: string) => void;
};

/** Makes the hub the HTTP/2 client on a socket that the agent has opened. The session ends when the socket does. */
export function openAgentSession({ socket, ping = linkPing, onEnd }: SessionOptions): ClientHttp2Session {
  const session = connect('http://agent', { ...bounds, createConnection: () => socket });
  let why = 'Closed';
  session.on('connect', () => session.setLocalWindowSize(connectionWindowBytes));
  session.on('error', (error: Error) => {
    why = `Protocol: ${error.message}`;
  });
  session.on('goaway', () => session.destroy());
  // An agent pushes nothing.
  session.on('stream', (stream) => stream.destroy());
  const pings = keepAlive(session, ping, () => {
    why = 'Silent';
    session.destroy();
  });
  session.once('close', () => {
    pings[Symbol.dispose]();
    socket.destroy();
    onEnd(why);
  });
  return session;
}

/** A connection that is cut without a word is noticed by pings alone. */
function keepAlive(
  session: ClientHttp2Session,
  { everyMs, deadAfterMs }: PingTimes,
  onDead: () => void,
): Disposable {
  let answeredMs = performance.now();
  return every(everyMs, () => {
    if (!session.destroyed && performance.now() - answeredMs >= deadAfterMs) onDead();
    else if (!session.destroyed && !session.connecting) {
      session.ping((error) => {
        if (!error) answeredMs = performance.now();
      });
    }
    return Promise.resolve();
  });
}
