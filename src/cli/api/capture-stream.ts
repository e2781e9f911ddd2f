import type { StreamEnd, StreamGap } from '../../api/stream-frames.ts';

/** What is asked of captures/log: a recording. Times are RFC 3339. */
export type RecordingRequest = {
  readonly kind: 'recording';
  readonly namespace: string;
  readonly pod: string;
  /** The newest recording unless given. */
  readonly uid?: string;
  /** Its number, or `all`; the ring unless given. */
  readonly frozen?: string;
  readonly since?: string;
  readonly until?: string;
  /** Only that of this Node: needed where agents of several Nodes say that the recording is theirs, a Conflict. */
  readonly node?: string;
};

/** What is asked of captures/attach: a live capture. */
export type TapRequest = {
  readonly kind: 'tap';
  readonly namespace: string;
  readonly pod: string;
  readonly filter?: string;
  readonly interface?: string;
  readonly snaplen?: number;
  /** Where the Pod runs, if that is known: no other Node is asked. */
  readonly node?: string;
};

/**
 * A capture file (pcapng) as it arrives in frames, each of whose lengths is checked.
 *
 *     for await (chunk of stream.chunks()) ...   // then stream.outcome() says how it ended
 */
export type CaptureStream = AsyncDisposable & {
  /** The bytes of the data frames. Ends when the stream has ended, in whatever way. Can be iterated once. */
  readonly chunks: () => AsyncIterable<Uint8Array>;
  /** What is missing so far. */
  readonly gaps: readonly StreamGap[];
  /** How it ended; known once `chunks` has ended. */
  readonly outcome: () => StreamOutcome;
};

export type StreamOutcome =
  /** The end frame came, and its count and digest are those of the bytes. */
  | { readonly kind: 'ended'; readonly end: StreamEnd }
  /** The connection ended without the end frame, or nothing came for too long: start over. */
  | { readonly kind: 'cut'; readonly message: string }
  /** What came is not what was sent: a bug or a hostile middle. */
  | { readonly kind: 'corrupt'; readonly message: string };

/** A stream, or why there is none, as the hub or the API server says it. */
export type OpenedStream =
  | { readonly kind: 'open'; readonly stream: CaptureStream }
  | {
      readonly kind: 'refused';
      readonly status: number;
      /** Of the Status object: Forbidden, NotFound, ... */
      readonly reason: string;
      readonly message: string;
      /** Whether the same request can work soon: the hub or the agent is restarting. */
      readonly canRetry: boolean;
      /** After how long, if the hub says it. */
      readonly retryAfterMs?: number;
    };
