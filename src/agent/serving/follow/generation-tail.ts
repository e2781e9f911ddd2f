import type { PcapFile } from '../../../pcap/pcap-file.ts';
import { fileHeaderBytes, type PcapHeader } from '../../../pcap/pcap-format.ts';
import type { CaptureRecord } from '../../storage/capture-records.ts';
import { extendQueued, FileQueue, type QueuedFile } from './file-queue.ts';
import { addMissing, damaged, type MissingPackets } from './missing-packets.ts';
import { ReadMarks } from './read-marks.ts';
import { RecordBuffer } from './record-buffer.ts';

/** tcpdump's user can make any number of files. */
const mostNotes = 100;

/**
 * The records of one start of tcpdump, as it writes them. `add` and `forget` say which files it has; `refill` reads. Only
 * whole records count: the rest of one comes later.
 */
export class GenerationTail implements AsyncDisposable {
  readonly number: number;
  record: CaptureRecord | undefined;
  /** What has been read, and not taken. */
  readonly records = new RecordBuffer();
  /** When it was last found to have nothing more, by the monotonic clock. */
  emptyMs = Number.NEGATIVE_INFINITY;
  /** Since when it is known to have ended, by the monotonic clock. */
  endSeenMs: number | undefined;
  /** By when the current records had been written, as far as that is known. */
  batchMs = 0;
  /** The time of its latest record that was read; -Infinity before the first one. */
  latestUs = Number.NEGATIVE_INFINITY;
  /** What could not be read. */
  readonly notes: string[] = [];
  readonly #queue = new FileQueue();
  /** Where what has been read is. */
  readonly #read = new ReadMarks();
  #lastIndex = -1;
  /** Of the current file, what comes next. */
  #offset = fileHeaderBytes;
  /** Of the current file, from where on nothing can be read. */
  #damagedFrom: number | undefined;

  constructor(number: number, record: CaptureRecord | undefined) {
    this.number = number;
    this.record = record;
  }

  /** That of its first file; undefined before there is one. */
  get header(): PcapHeader | undefined {
    return this.records.header;
  }

  get interfaceName(): string {
    return this.record?.interface ?? '';
  }

  /** Only captures with the same place can have the same packet; undefined: it is not known. */
  get place(): string | undefined {
    return this.record && `${this.record.sandboxId} ${this.record.interface}`;
  }

  /** The files that are held open. */
  get files(): readonly PcapFile[] {
    return [...this.#read.files, ...this.#queue.files];
  }

  /** The indices of files that have not been begun. */
  get waiting(): readonly number[] {
    return this.#queue.waiting;
  }

  /** The time of a recent record that has been read; -Infinity before the first one. */
  get markedUs(): number {
    return this.#read.lastUs;
  }

  /** Of the newest file; -1 before the first one. */
  get lastIndex(): number {
    return this.#lastIndex;
  }

  /** Adds the next file, which has been opened by `nowMs`. */
  add(index: number, file: PcapFile, missing: MissingPackets | undefined, nowMs: number): void {
    this.records.header ??= file.header;
    this.#queue.add({ index, file, missing, sizeMs: nowMs });
    this.#lastIndex = index;
  }

  /** Passes over a file without records; `note`: because it cannot be read. */
  skip(index: number, note: string | undefined): void {
    this.#lastIndex = index;
    if (note === undefined) return;
    this.#note(note);
    this.#queue.lack(damaged(undefined));
  }

  /** The time of the first record that has not been read; undefined if there is none. */
  async firstUs(nowMs: () => number): Promise<number | undefined> {
    return await this.#queue.firstUs(nowMs);
  }

  /** The ring has deleted a file that has not been begun. */
  async forget(index: number, nowMs: () => number): Promise<void> {
    await this.#queue.forget(index, nowMs);
  }

  /**
   * Whether there are records, after reading more if there were none. Whether more has been written is looked at only when
   * all that is known has been read: that all of it had been written by then spares waiting for others each time.
   */
  async refill(nowMs: () => number): Promise<boolean> {
    this.records.allocate();
    const startMs = nowMs();
    /** Once: a writer that appends what is no record must not keep its reader here. */
    let extended: QueuedFile | undefined;
    while (!this.records.hasRecords) {
      const { current, isSealed } = this.#queue;
      if (!current) {
        this.emptyMs = startMs;
        return false;
      }
      const knownBytes = current.file.size();
      const run = await current.file.runs(this.records.bytes, this.#offset).next();
      if (!run.done) {
        this.#begin(current, run.value.offset, run.value.bytes.length);
        continue;
      }
      if (extended !== current && (await extendQueued(current, knownBytes, nowMs))) {
        extended = current;
        continue;
      }
      if (run.value.kind === 'corrupt' && this.#damagedFrom === undefined) {
        this.#damagedFrom = run.value.wholeBytes;
        this.#note(run.value.message);
      }
      if (!isSealed) {
        this.emptyMs = startMs;
        return false;
      }
      this.#pass(current);
    }
    return true;
  }

  /** What is missing before the current record, or has no record after it; once. */
  takeMissing(): MissingPackets | undefined {
    const isAtEnd = !this.records.hasRecords;
    const missing = this.#queue.takeMissing(isAtEnd);
    return isAtEnd ? addMissing(missing, this.#takeDamaged()) : missing;
  }

  /** Calls for each record that has been passed and is not earlier than `sinceUs`, as far as it is still known. */
  async passedSince(sinceUs: number, call: (record: RecordBuffer) => void): Promise<void> {
    const buffer = new RecordBuffer();
    buffer.header = this.header;
    buffer.allocate();
    for (const mark of this.#read.since(sinceUs)) {
      const run = await mark.file.runs(buffer.bytes, mark.from).next();
      if (run.done) continue;
      buffer.load(mark.file.header, this.#read.isLast(mark) ? this.records.passedBytes : mark.length);
      for (; buffer.hasRecords; buffer.passOne()) if (buffer.timeUs >= sinceUs) call(buffer);
    }
  }

  /** Nothing of it is read any more: what is known of it is kept, its files and its memory are not. */
  async [Symbol.asyncDispose](): Promise<void> {
    const { files } = this;
    this.#queue.clear();
    this.#read.clear();
    this.records.free();
    await Promise.all(files.map((file) => file[Symbol.asyncDispose]()));
  }

  /** Closes files that have been read, and are not needed any more. */
  async release(): Promise<void> {
    await this.#read.release();
  }

  #note(note: string): void {
    if (this.notes.length < mostNotes) this.notes.push(note);
  }

  #begin({ file, sizeMs }: QueuedFile, offset: number, length: number): void {
    this.#offset = offset + length;
    this.batchMs = sizeMs;
    this.records.load(file.header, length);
    this.#read.add({ file, from: offset, length, timeUs: this.records.timeUs });
    this.latestUs = Math.max(this.latestUs, this.records.latestUs());
  }

  /** All of it that can be read has been. */
  #pass({ file }: QueuedFile): void {
    this.#queue.shift(this.#takeDamaged());
    this.#read.keep(file);
    this.#offset = fileHeaderBytes;
  }

  /** What cannot be read of the current file; once. */
  #takeDamaged(): MissingPackets | undefined {
    const from = this.#damagedFrom;
    if (from === undefined) return undefined;
    this.#damagedFrom = undefined;
    return damaged((this.#queue.current?.file.size() ?? from) - from);
  }
}
