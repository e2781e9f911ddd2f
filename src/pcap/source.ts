import { type PcapFile, runBufferBytes } from './pcap-file.ts';
import {
  convertRecords,
  hasSameRecords,
  type PcapHeader,
  recordHeaderBytes,
  recordTimeUs,
} from './pcap-format.ts';

/** The capture files that one writer wrote, oldest first; they share one header. */
export type Source = {
  readonly header: PcapHeader;
  /** Where it listened: two sources have heard the same packet only if they listened at the same place. */
  readonly place: string;
  readonly files: readonly PcapFile[];
};

/** A record of a source, by its place in it: the position of the file in `files`, and of the record in the file. */
export type Position = { readonly file: number; readonly offset: number };

/** Bytes of one file, from the beginning of a record to the beginning of another. */
export type ByteRange = { readonly file: number; readonly from: number; readonly to: number };

export type SourceReaderOptions = {
  readonly fromFile?: number;
  /** Left out; in ascending order. */
  readonly without?: readonly ByteRange[];
  /** Gives the records in the byte order and resolution of this header. */
  readonly as?: PcapHeader;
  /** A file has an end that cannot be read: the message names it. */
  readonly onDamage?: (message: string) => void;
};

/**
 * Walks the records of a source through its files, with one buffer. `ready()` comes first, each time; where it says
 * that a record is at hand, the other members tell of that record.
 */
export class SourceReader {
  readonly #source: Source;
  readonly #options: SourceReaderOptions;
  readonly #header: PcapHeader;
  readonly #buffer = new Uint8Array(runBufferBytes);
  readonly #view = new DataView(this.#buffer.buffer);
  #file: number;
  #runs: ReturnType<PcapFile['runs']> | undefined;
  /** The run at hand is the first `#length` bytes of the buffer, and stands at `#offset` of the file. */
  #length = 0;
  #offset = 0;
  #at = 0;
  #nextGap = 0;

  constructor(source: Source, options: SourceReaderOptions = {}) {
    this.#source = source;
    this.#options = options;
    this.#header = options.as ?? source.header;
    this.#file = options.fromFile ?? 0;
  }

  /** Whether a record is at hand; false at the end of the source, which is the end for good. */
  async ready(): Promise<boolean> {
    for (;;) {
      this.#passGaps();
      if (this.#at < this.#length) return true;
      if (!(await this.#nextRun())) return false;
    }
  }

  get timeUs(): number {
    return recordTimeUs(this.#view, this.#at, this.#header);
  }

  get position(): Position {
    return { file: this.#file, offset: this.#offset + this.#at };
  }

  /** The bytes of the file in which the record stands. */
  get range(): ByteRange {
    const { file, offset } = this.position;
    return { file, from: offset, to: offset + this.#recordBytes(this.#at) };
  }

  /** Bytes that the packet had on its way. */
  get originalBytes(): number {
    return this.#view.getUint32(this.#at + 12, this.#little);
  }

  /** What was captured of the packet; good until the next ready(). */
  get data(): Uint8Array {
    return this.#buffer.subarray(this.#at + recordHeaderBytes, this.#at + this.#recordBytes(this.#at));
  }

  advance(): void {
    this.#at += this.#recordBytes(this.#at);
  }

  /**
   * The record at hand and those after it that lie in memory, up to the first that is later than `untilUs` or that
   * stands at `before`; good until the next ready().
   */
  take(untilUs: number, before?: Position): Uint8Array {
    const from = this.#at;
    const end = this.#spanEnd(before);
    if (untilUs === Infinity) this.#at = end;
    else
      do this.advance();
      while (this.#at < end && this.timeUs <= untilUs);
    return this.#buffer.subarray(from, this.#at);
  }

  get #little(): boolean {
    return this.#header.byteOrder === 'little';
  }

  #recordBytes(at: number): number {
    return recordHeaderBytes + this.#view.getUint32(at + 8, this.#little);
  }

  #spanEnd(before: Position | undefined): number {
    const gap = this.#options.without?.[this.#nextGap];
    const stops = [this.#length];
    if (gap?.file === this.#file) stops.push(gap.from - this.#offset);
    if (before?.file === this.#file && before.offset > this.#offset + this.#at)
      stops.push(before.offset - this.#offset);
    return Math.min(...stops);
  }

  #passGaps(): void {
    const gaps = this.#options.without ?? [];
    for (;;) {
      const gap = gaps[this.#nextGap];
      if (gap === undefined || gap.file > this.#file) return;
      const offset = this.#offset + this.#at;
      if (gap.file === this.#file && offset < gap.from) return;
      if (gap.file === this.#file && offset < gap.to) {
        this.#at = Math.min(gap.to - this.#offset, this.#length);
        if (this.#at === this.#length) return;
      }
      this.#nextGap += 1;
    }
  }

  async #nextRun(): Promise<boolean> {
    for (;;) {
      const file = this.#source.files[this.#file];
      if (file === undefined) return false;
      this.#runs ??= file.runs(this.#buffer);
      const run = await this.#runs.next();
      if (!run.done) {
        this.#offset = run.value.offset;
        this.#length = run.value.bytes.length;
        this.#at = 0;
        if (!hasSameRecords(file.header, this.#header))
          convertRecords(run.value.bytes, file.header, this.#header);
        return true;
      }
      if (run.value.kind === 'corrupt') this.#options.onDamage?.(run.value.message);
      this.#runs = undefined;
      this.#file += 1;
      this.#offset = 0;
      this.#length = 0;
      this.#at = 0;
    }
  }
}

/** The time of the source's first record, in microseconds since 1970; undefined when it has none. */
export async function firstTimeUs({ files }: Source): Promise<number | undefined> {
  for (const file of files) {
    const timeUs = await file.firstUs();
    if (timeUs !== undefined) return timeUs;
  }
  return undefined;
}

/** The time of the source's last whole record. */
export async function lastTimeUs(source: Source): Promise<number | undefined> {
  for (let fromFile = source.files.length - 1; fromFile >= 0; fromFile -= 1) {
    const file = source.files[fromFile];
    if ((await file?.firstUs()) === undefined) continue;
    const reader = new SourceReader(source, { fromFile });
    let timeUs: number | undefined;
    while (await reader.ready()) {
      timeUs = reader.timeUs;
      reader.advance();
    }
    if (timeUs !== undefined) return timeUs;
  }
  return undefined;
}
