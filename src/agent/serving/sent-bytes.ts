import type { ServerHttp2Stream } from 'node:http2';
import { dataFrameHeader, maxFrameBytes } from '../../api/stream-frames.ts';

/** What has been written to one stream, and how far it has been taken. */
export class SentBytes {
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
