import { createHash, type Hash } from 'node:crypto';
import type { ServerHttp2Stream } from 'node:http2';
import {
  captureFileMediaType,
  controlFrame,
  dataFrameHeader,
  framesMediaType,
  maxFrameBytes,
  type StreamEnd,
  type StreamGap,
} from '../../api/stream-frames.ts';
import { type ReaderPace, readerPaceAfter, startingPace } from '../../base/reader-pace.ts';
import { every } from '../../base/timers.ts';
import { respondUntilComplete } from '../../link/complete-answer.ts';
import { cutStream } from '../link/link-handler.ts';

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

/** What has been written to one stream, and how far it has been taken. */
class SentBytes {
  readonly #stream: ServerHttp2Stream;
  readonly #signal: AbortSignal;
  /** The newest write. */
  #last: Promise<void> = Promise.resolve();
  #takenBytes = 0;
  #wasIdle = true;
  pendingBytes = 0;
  dataBytes = 0;
  isFinishing = false;
  /** When something was last written or taken, by the monotonic clock. */
  lastMs = performance.now();

  constructor(stream: ServerHttp2Stream, signal: AbortSignal) {
    this.#stream = stream;
    this.#signal = signal;
  }

  async data(bytes: Uint8Array): Promise<void> {
    this.dataBytes += bytes.length;
    await this.#after(() => this.#write([bytes]));
  }

  async frames(bytes: Uint8Array): Promise<void> {
    this.dataBytes += bytes.length;
    const parts: Uint8Array[] = [];
    for (let at = 0; at < bytes.length; at += maxFrameBytes) {
      const payload = bytes.subarray(at, at + maxFrameBytes);
      parts.push(dataFrameHeader(payload.length), payload);
    }
    await this.#after(() => this.#write(parts));
  }

  /** Resolves when it has been taken. */
  async control(bytes: Uint8Array): Promise<void> {
    await this.#after(() => this.#write([bytes]));
    await this.#last;
  }

  /** Resolves when everything has been taken. */
  async finish(): Promise<void> {
    await this.#last;
    this.isFinishing = true;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#stream.end(() => resolve());
    await this.#unlessGone(promise);
  }

  /** What happened since the last call. */
  takeProgress(): { readonly takenBytes: number; readonly wasIdle: boolean } {
    const progress = { takenBytes: this.#takenBytes, wasIdle: this.#wasIdle };
    this.#takenBytes = 0;
    this.#wasIdle = this.pendingBytes === 0;
    return progress;
  }

  /** Begins a write, and waits until the one before it has been taken. */
  async #after(begin: () => Promise<void>): Promise<void> {
    this.#signal.throwIfAborted();
    const before = this.#last;
    this.#last = Promise.all([before, begin()]).then(() => {});
    // It is awaited by the write after it, and there may be none.
    this.#last.catch(() => {});
    await before;
  }

  #write(parts: readonly Uint8Array[]): Promise<void> {
    const bytes = parts.reduce((sum, part) => sum + part.length, 0);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.pendingBytes += bytes;
    this.lastMs = performance.now();
    // One write for all of them.
    this.#stream.cork();
    for (const [at, part] of parts.entries())
      if (at < parts.length - 1) this.#stream.write(part);
      else this.#stream.write(part, (error) => (error ? reject(error) : resolve()));
    this.#stream.uncork();
    return this.#unlessGone(promise).then(() => {
      this.#takenBytes += bytes;
      this.pendingBytes -= bytes;
      if (this.pendingBytes === 0) this.#wasIdle = true;
      this.lastMs = performance.now();
    });
  }

  /** A write into a stream that is destroyed meanwhile may never call back. */
  async #unlessGone(promise: Promise<void>): Promise<void> {
    const { promise: gone, reject } = Promise.withResolvers<never>();
    const leave = () => reject(this.#signal.reason);
    this.#signal.addEventListener('abort', leave, { once: true });
    if (this.#signal.aborted) leave();
    try {
      await Promise.race([promise, gone]);
    } catch (error) {
      throw this.#signal.aborted ? this.#signal.reason : error;
    } finally {
      this.#signal.removeEventListener('abort', leave);
    }
  }
}
