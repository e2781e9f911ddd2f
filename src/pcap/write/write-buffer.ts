import type { CurrentPacket } from '../packet-reader.ts';

/**
 * Bytes that wait to be written. Two halves: while one is written, the other is filled. Fields, not methods: they are
 * used for each packet.
 */
export class WriteBuffer {
  bytes = new Uint8Array(initialBytes);
  view = new DataView(this.bytes.buffer);
  /** The first `at` bytes are pending. */
  at = 0;
  #other = new Uint8Array(0);

  /** Makes space for that many bytes after `at`. */
  reserve(count: number): void {
    if (this.at + count <= this.bytes.length) return;
    this.#use(new Uint8Array(2 ** Math.ceil(Math.log2(this.at + count))), this.bytes.subarray(0, this.at));
  }

  /** Returns the pending bytes; valid until something is appended after the next call. */
  take(): Uint8Array {
    const taken = this.bytes.subarray(0, this.at);
    const filled = this.bytes;
    this.#use(this.#other.length < filled.length ? new Uint8Array(filled.length) : this.#other);
    this.#other = filled;
    this.at = 0;
    return taken;
  }

  /** Appends the captured part of a packet. */
  appendData({ buffer, view, dataAt, capturedBytes }: CurrentPacket): void {
    const end = this.at + capturedBytes;
    if (capturedBytes < nativeCopyBytes) this.#copyWords(view, dataAt, capturedBytes);
    else this.bytes.set(buffer.subarray(dataAt, dataAt + capturedBytes), this.at);
    this.at = end;
  }

  #copyWords(source: DataView, from: number, length: number): void {
    const { at, view } = this;
    let index = 0;
    for (; index <= length - 4; index += 4) view.setInt32(at + index, source.getInt32(from + index));
    for (; index < length; index += 1) view.setUint8(at + index, source.getUint8(from + index));
  }

  #use(bytes: Uint8Array<ArrayBuffer>, content?: Uint8Array): void {
    if (content) bytes.set(content);
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer);
  }
}

const initialBytes = 64 * 1024;

/** A shorter copy is faster as a loop: a native one creates an object. Measured. */
const nativeCopyBytes = 64;
