import { runBufferBytes } from '../../../pcap/pcap-file.ts';
import {
  convertRecords,
  hasSameRecords,
  type PcapHeader,
  recordHeaderBytes,
  recordTimeUs,
} from '../../../pcap/pcap-format.ts';

/** Whole records in memory, read one after the other: all of them in the format of one header. */
export class RecordBuffer {
  /** Set before the first record. */
  header: PcapHeader | undefined;
  #bytes = new Uint8Array(0);
  #view = new DataView(this.#bytes.buffer);
  #at = 0;
  #length = 0;

  /** Where records are read to, before `load`. */
  get bytes(): Uint8Array<ArrayBuffer> {
    return this.#bytes;
  }

  /** How many bytes of them have been passed. */
  get passedBytes(): number {
    return this.#at;
  }

  get hasRecords(): boolean {
    return this.#at < this.#length;
  }

  get timeUs(): number {
    if (!this.header) throw new Error('there is no file yet');
    return recordTimeUs(this.#view, this.#at, this.header);
  }

  get originalBytes(): number {
    return this.#view.getUint32(this.#at + 12, this.#isLittle);
  }

  get data(): Uint8Array {
    return this.#bytes.subarray(this.#at + recordHeaderBytes, this.#at + this.#recordBytes);
  }

  /** Who has nothing to read needs no memory: a recording can have hundreds of captures. */
  allocate(): void {
    if (this.#bytes.length > 0) return;
    this.#bytes = new Uint8Array(runBufferBytes);
    this.#view = new DataView(this.#bytes.buffer);
  }

  free(): void {
    [this.#at, this.#length] = [0, 0];
    this.#bytes = new Uint8Array(0);
    this.#view = new DataView(this.#bytes.buffer);
  }

  /** Begins with the first `length` bytes, which are records in the format of `header`. */
  load(header: PcapHeader, length: number): void {
    [this.#at, this.#length] = [0, length];
    if (this.header && !hasSameRecords(header, this.header))
      convertRecords(this.#bytes.subarray(0, length), header, this.header);
  }

  /** The latest time of them. */
  latestUs(): number {
    const from = this.#at;
    let latestUs = Number.NEGATIVE_INFINITY;
    for (; this.hasRecords; this.passOne()) latestUs = Math.max(latestUs, this.timeUs);
    this.#at = from;
    return latestUs;
  }

  /** Passes the current record and those that are no later than `untilUs`; returns their bytes. */
  take(untilUs: number): Uint8Array {
    const from = this.#at;
    if (untilUs === Number.POSITIVE_INFINITY) this.#at = this.#length;
    else
      do this.passOne();
      while (this.hasRecords && this.timeUs <= untilUs);
    return this.#bytes.subarray(from, this.#at);
  }

  passOne(): void {
    this.#at += this.#recordBytes;
  }

  get #isLittle(): boolean {
    return this.header?.byteOrder === 'little';
  }

  get #recordBytes(): number {
    return recordHeaderBytes + this.#view.getUint32(this.#at + 8, this.#isLittle);
  }
}
