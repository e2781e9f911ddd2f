import { createHash, type Hash } from 'node:crypto';
import type { ServerHttp2Stream } from 'node:http2';
import {
  captureFileMediaType,
  controlFrame,
  framesMediaType,
  type StreamEnd,
  type StreamGap,
} from '../../api/stream-frames.ts';
import { type ReaderPace, readerPaceAfter, startingPace } from '../../base/reader-pace.ts';
import { every } from '../../base/timers.ts';
import { respondUntilComplete } from '../../link/complete-answer.ts';
import { cutStream } from '../link/link-handler.ts';
import { SentBytes } from './sent-bytes.ts';

/** The bytes of a capture, on their way to one reader: in frames, or as the capture file is. */
export type CaptureStream = AsyncDisposable & {
  /** Aborts once nobody reads: the reader has gone away, or takes too little. Its reason is a ReaderGone. */
  readonly signal: AbortSignal;
  /** What is written and not taken yet. */
  readonly pendingBytes: () => number;
  /**
   * Sends whole packets or blocks. Resolves once what was written before this has been taken, so that the next bytes can
   * be made meanwhile: these must stay as they are until the write after this one has resolved. Rejects with ReaderGone.
   */
  readonly write: (bytes: Uint8Array) => Promise<void>;
  /** Says that packets are missing here. The capture file has its own place for that, and this sends nothing there. */
  readonly gap: (gap: StreamGap) => Promise<void>;
  /**
   * Ends the stream, and resolves when all of it has been taken. A capture file that is not complete is cut instead: its
   * reader must not take it for one that is.
   */
  readonly end: (end: Omit<StreamEnd, 'bytes' | 'sha256'>) => Promise<void>;
};

export type CaptureStreamOptions = {
  readonly stream: ServerHttp2Stream;
  /** Aborts when the stream has ended. */
  readonly signal: AbortSignal;
  readonly isFrames: boolean;
  /** What a capture file that is silent gets, so that no proxy takes it for dead; undefined: its format has nothing. */
  readonly keepAlive?: () => Uint8Array;
  readonly timing?: StreamTiming;
};

export type StreamTiming = {
  readonly checkEveryMs: number;
  readonly heartbeatAfterMs: number;
  readonly keepAliveAfterMs: number;
  readonly slowAfterMs: number;
};

/** Why nobody reads any more. */
export class ReaderGone extends Error {
  override readonly name = 'ReaderGone';
  readonly why: 'Closed' | 'TooSlow';

  constructor(why: ReaderGone['why']) {
    super(why === 'Closed' ? 'the reader has gone away' : 'the reader takes less than 64 KiB/s');
    this.why = why;
  }
}

export const streamTiming: StreamTiming = {
  checkEveryMs: 1_000,
  heartbeatAfterMs: 5_000,
  keepAliveAfterMs: 20_000,
  slowAfterMs: 60_000,
};

/** Whether a client's Accept asks for frames. */
export function acceptsFrames(accept: string | undefined): boolean {
  return (accept ?? '').split(',').some((one) => one.split(';')[0]?.trim().toLowerCase() === framesMediaType);
}

/** Answers the request: sends the head at once. */
export function openCaptureStream(options: CaptureStreamOptions): CaptureStream {
  const { stream, isFrames, timing = streamTiming } = options;
  const gone = new AbortController();
  const leave = (why: ReaderGone['why']) => gone.abort(new ReaderGone(why));
  const onClosed = () => leave('Closed');
  if (options.signal.aborted) onClosed();
  options.signal.addEventListener('abort', onClosed, { once: true });
  // Each write reports its own error; without a listener, it would also end the process.
  stream.on('error', onClosed);
  // A reader that cancels what has not been sent yet closes nothing by that.
  stream.once('aborted', onClosed);
  const contentType = isFrames ? framesMediaType : captureFileMediaType;
  const digest = isFrames ? createHash('sha256') : undefined;
  if (!stream.destroyed) respondUntilComplete(stream, { ':status': 200, 'content-type': contentType });
  const sent = new SentBytes(stream, gone.signal);

  let pace: ReaderPace = startingPace;
  const checking = every(timing.checkEveryMs, async () => {
    const next = readerPaceAfter(pace, { ...sent.takeProgress(), ...timing });
    if (next === 'tooSlow') {
      leave('TooSlow');
      cutStream(stream, 'the reader is too slow');
      return;
    }
    pace = next;
    sendSignOfLife(options, sent, timing);
  });

  return {
    signal: gone.signal,
    pendingBytes: () => sent.pendingBytes,
    write: (bytes) => {
      digest?.update(bytes);
      return isFrames ? sent.frames(bytes) : sent.data(bytes);
    },
    gap: async (gap) => {
      if (isFrames) await sent.control(controlFrame({ kind: 'gap', gap }));
    },
    async end(end) {
      if (isFrames) await sent.control(endFrame(end, sent.dataBytes, digest));
      else if (!end.isComplete) {
        cutStream(stream, 'the capture is not complete');
        return;
      }
      await sent.finish();
    },
    async [Symbol.asyncDispose]() {
      checking[Symbol.dispose]();
      options.signal.removeEventListener('abort', onClosed);
      // What was not ended was not complete.
      if (!stream.writableFinished) cutStream(stream, 'the capture has no end');
      leave('Closed');
    },
  };
}

function endFrame(
  end: Omit<StreamEnd, 'bytes' | 'sha256'>,
  bytes: number,
  digest: Hash | undefined,
): Uint8Array {
  const sha256 = digest?.digest('hex') ?? '';
  return controlFrame({ kind: 'end', end: { ...end, bytes, sha256 } });
}

/** Does not wait until it is taken: whether the reader is too slow is still checked. */
function sendSignOfLife(
  { isFrames, keepAlive }: CaptureStreamOptions,
  sent: SentBytes,
  { heartbeatAfterMs, keepAliveAfterMs }: StreamTiming,
): void {
  // Who has not taken everything yet is not silent, but slow.
  if (sent.pendingBytes > 0 || sent.isFinishing) return;
  const silentMs = performance.now() - sent.lastMs;
  const send = (bytes: Uint8Array) => void sent.control(bytes).catch(() => {});
  if (isFrames && silentMs >= heartbeatAfterMs) send(controlFrame({ kind: 'heartbeat' }));
  // Before its first bytes, a capture file has no place for anything.
  if (!isFrames && keepAlive && sent.dataBytes > 0 && silentMs >= keepAliveAfterMs) send(keepAlive());
}
