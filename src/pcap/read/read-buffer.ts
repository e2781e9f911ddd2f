import { maxPacketBytes } from '../pcap-format.ts';
import type { ByteInput } from './byte-input.ts';

/**
 * The longest block or record that is read as a whole: the largest packet, its header, and as many bytes of options.
 * Only the search for a block after damage makes a buffer larger: twice as large.
 */
export const maxBlockBytes = 2 * maxPacketBytes;

/** Holds the largest packet with some options, so that it grows for none that a capture usually has. */
export const defaultBufferBytes = maxPacketBytes + 64 * 1024;

export const minBufferBytes = 16 * 1024;

/**
 * A window on one input after the other: the bytes from `at` to `filled` have been read and not been passed. Fields,
 * not methods: they are used for each packet.
 */
export class ReadBuffer {
  bytes: Uint8Array<ArrayBuffer>;
  view: DataView<ArrayBuffer>;
  at = 0;
  filled = 0;
  /** The offset of the first byte of the buffer in its input. */
  offset = 0;
  /** How many bytes from `at` on the next `more` has to make space for. */
  wanted = 1;
  /** Whether the input has no more bytes. */
  ended = true;
  #input: ByteInput | undefined;

  constructor(bufferBytes: number) {
    this.bytes = new Uint8Array(Math.min(Math.max(bufferBytes, minBufferBytes), maxBlockBytes));
    this.view = new DataView(this.bytes.buffer);
  }

  begin(input: ByteInput): void {
    this.#input = input;
    this.at = 0;
    this.filled = 0;
    this.offset = 0;
    this.ended = false;
  }

  /**
   * Reads some more bytes, at least one unless the input has ended. The bytes from `at` on may move to the front. A
   * promise only if the input has to be waited for.
   */
  more(): Promise<void> | undefined {
    if (this.ended || this.#input === undefined) return undefined;
    if (this.at + this.wanted > this.bytes.length || this.filled === this.bytes.length) this.#makeSpace();
    const count = this.#input.read(this.bytes.subarray(this.filled));
    if (typeof count !== 'number') return count.then((later) => this.#add(later));
    this.#add(count);
    return undefined;
  }

  /** Makes the buffer at least so large, with the bytes from `at` on at its front. */
  growTo(bytes: number): void {
    if (bytes > this.bytes.length) this.#move(bytes);
  }

  #add(count: number): void {
    this.filled += count;
    this.ended = count === 0;
  }

  #makeSpace(): void {
    this.#move(Math.min(maxBlockBytes, this.wanted));
  }

  #move(bytes: number): void {
    const unread = this.bytes.subarray(this.at, this.filled);
    if (bytes > this.bytes.length) {
      this.bytes = new Uint8Array(2 ** Math.ceil(Math.log2(bytes)));
      this.view = new DataView(this.bytes.buffer);
    }
    this.bytes.set(unread);
    this.offset += this.at;
    this.filled -= this.at;
    this.at = 0;
  }
}
