import { type PcapFile, runBufferBytes } from '../pcap-file.ts';
import {
  convertRecords,
  hasSameRecords,
  type PcapHeader,
  recordHeaderBytes,
  recordTimeUs,
} from '../pcap-format.ts';

/** The capture files of one writer, oldest first; they share one header. */
export type Source = {
  readonly header: PcapHeader;
  /** What it captured: sources of one interface follow one another, also if the clock was set back in between. */
  readonly interfaceName: string;
  /** Where it captured: only sources with the same place can have the same packet. */
  readonly place: string;
  readonly files: readonly PcapFile[];
};

/** The position of a record: the index of its file in `files`, and its offset in that file. */
export type Position = { readonly file: number; readonly offset: number };

/** Whole records of one file, from the offset of the first to the end of the last. */
export type ByteRange = { readonly file: number; readonly from: number; readonly to: number };

export type SourceReaderOptions = {
  /** The index of the file to start with; 0 unless set. */
  readonly fromFile?: number;
  /** Records to skip, in ascending order. */
  readonly skip?: readonly ByteRange[];
  /** Called when the rest of a file cannot be read; the message names the file. */
  readonly onDamage?: (message: string) => void;
  /** Closes each file once it has been read: one that is deleted takes no space of the disk from then on. */
  readonly closesFiles?: boolean;
};

/**
 * Walks the records of a source through its files, with one buffer. Call `ready()` before each record; if it returns
 * true, the other members describe the current record.
 */
export class SourceReader {
  readonly #source: Source;
  readonly #options: SourceReaderOptions;
  readonly #header: PcapHeader;
  readonly #buffer = new Uint8Array(runBufferBytes);
  readonly #view = new DataView(this.#buffer.buffer);
  #file: number;
  #runs: ReturnType<PcapFile['runs']> | undefined;
  /** The current run is the first `#length` bytes of the buffer, and starts at `#offset` of the file. */
  #length = 0;
  #offset = 0;
  #at = 0;
  #nextSkip = 0;

  constructor(source: Source, options: SourceReaderOptions = {}) {
    this.#source = source;
    this.#options = options;
    this.#header = source.header;
    this.#file = options.fromFile ?? 0;
  }

  /** Moves to the next record that is not skipped; false at the end of the source. */
  async ready(): Promise<boolean> {
    for (;;) {
      this.#passSkipped();
      if (this.#at < this.#length) return true;
      if (!(await this.#nextRun())) return false;
    }
  }

  /** The time of the current record, in microseconds since 1970. */
  get timeUs(): number {
    return recordTimeUs(this.#view, this.#at, this.#header);
  }

  get position(): Position {
    return { file: this.#file, offset: this.#offset + this.#at };
  }

  /** The bytes of the record in its file. */
  get range(): ByteRange {
    const { file, offset } = this.position;
    return { file, from: offset, to: offset + this.#recordBytes(this.#at) };
  }

  /** The length of the packet on the wire. */
  get originalBytes(): number {
    return this.#view.getUint32(this.#at + 12, this.#little);
  }

  /** The captured bytes of the packet; valid until the next ready(). */
  get data(): Uint8Array {
    return this.#buffer.subarray(this.#at + recordHeaderBytes, this.#at + this.#recordBytes(this.#at));
  }

  /** Passes the current record. */
  advance(): void {
    this.#at += this.#recordBytes(this.#at);
  }

  /**
   * Passes the current record and those after it that are in memory, up to the first one that is later than `untilUs`
   * or at the position `before`, and returns their bytes; valid until the next ready().
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
    const skipped = this.#options.skip?.[this.#nextSkip];
    const stops = [this.#length];
    if (skipped?.file === this.#file) stops.push(skipped.from - this.#offset);
    if (before?.file === this.#file && before.offset > this.#offset + this.#at)
      stops.push(before.offset - this.#offset);
    return Math.min(...stops);
  }

  #passSkipped(): void {
    const skip = this.#options.skip ?? [];
    for (;;) {
      const range = skip[this.#nextSkip];
      if (range === undefined || range.file > this.#file) return;
      const offset = this.#offset + this.#at;
      if (range.file === this.#file && offset < range.from) return;
      if (range.file === this.#file && offset < range.to) {
        this.#at = Math.min(range.to - this.#offset, this.#length);
        if (this.#at === this.#length) return;
      }
      this.#nextSkip += 1;
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
      if (this.#options.closesFiles === true) await file[Symbol.asyncDispose]();
      this.#runs = undefined;
      this.#file += 1;
      this.#offset = 0;
      this.#length = 0;
      this.#at = 0;
    }
  }
}

/** The time of the first record of a source, in microseconds since 1970; undefined if it has none. */
export async function firstTimeUs({ files }: Source): Promise<number | undefined> {
  for (const file of files) {
    const timeUs = await file.firstUs();
    if (timeUs !== undefined) return timeUs;
  }
  return undefined;
}

/** The time of the last whole record of a source, in microseconds since 1970; undefined if it has none. */
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
