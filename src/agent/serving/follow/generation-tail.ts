import { type PcapFile, runBufferBytes } from '../../../pcap/pcap-file.ts';
import {
  convertRecords,
  fileHeaderBytes,
  hasSameRecords,
  type PcapHeader,
  recordHeaderBytes,
  recordTimeUs,
} from '../../../pcap/pcap-format.ts';
import type { CaptureRecord } from '../../storage/capture-records.ts';
import { addMissing, type MissingPackets, missingIn } from './missing-packets.ts';
import { extendQueued, type QueuedFile } from './queued-file.ts';
import { ReadMarks } from './read-marks.ts';

/** tcpdump's user can make any number of files. */
const mostNotes = 100;
/**
 * The records of one start of tcpdump, as it writes them. `add` and `forget` say which files it has; `refill` reads. Only
 * whole records count: the rest of one comes later.
 */
export class GenerationTail implements AsyncDisposable {
  readonly number: number;
  record: CaptureRecord | undefined;
  /** The header of its first file. */
  header: PcapHeader | undefined;
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
  readonly #queue: QueuedFile[] = [];
  #buffer = new Uint8Array(0);
  #view = new DataView(this.#buffer.buffer);
  /** Where what has been read is. */
  readonly #read = new ReadMarks();
  #lastIndex = -1;
  #missing: MissingPackets | undefined;
  #offset = fileHeaderBytes;
  #at = 0;
  #length = 0;
  #isCorrupt = false;

  constructor(number: number, record: CaptureRecord | undefined) {
    this.number = number;
    this.record = record;
  }

  get interfaceName(): string {
    return this.record?.interface ?? '';
  }

  /** Only captures with the same place can have the same packet; undefined: it is not known. */
  get place(): string | undefined {
    return this.record && `${this.record.sandboxId} ${this.record.interface}`;
  }

  get hasRecords(): boolean {
    return this.#at < this.#length;
  }

  get timeUs(): number {
    return recordTimeUs(this.#view, this.#at, this.#firstHeader);
  }

  get originalBytes(): number {
    return this.#view.getUint32(this.#at + 12, this.#isLittle);
  }

  get data(): Uint8Array {
    return this.#buffer.subarray(this.#at + recordHeaderBytes, this.#at + this.#recordBytes);
  }

  /** The files that are held open. */
  get files(): readonly PcapFile[] {
    return [...this.#read.files, ...this.#queue.map(({ file }) => file)];
  }

  /** The indices of files that have not been begun. */
  get waiting(): readonly number[] {
    return this.#queue.slice(1).map(({ index }) => index);
  }

  /** The time of a recent record that has been read; -Infinity before the first one. */
  get markedUs(): number {
    return this.#read.lastUs;
  }

  get lastIndex(): number {
    return this.#lastIndex;
  }

  /** Adds the next file, which has been opened by `nowMs`. */
  add(index: number, file: PcapFile, missing: MissingPackets | undefined, nowMs: number): void {
    this.header ??= file.header;
    this.#queue.push({ index, file, missing: addMissing(this.#missing, missing), sizeMs: nowMs });
    this.#missing = undefined;
    this.#lastIndex = index;
  }

  /** Passes over a file that cannot be read. */
  skip(index: number, note: string | undefined): void {
    if (note !== undefined) this.#note(note);
    this.#lastIndex = index;
  }

  /** The time of the first record that has not been read; undefined if there is none. */
  async firstUs(nowMs: () => number): Promise<number | undefined> {
    const queue = this.#queue.slice();
    for (const queued of queue) {
      try {
        await extendQueued(queued, nowMs);
        const timeUs = await queued.file.firstUs();
        if (timeUs !== undefined) return timeUs;
      } catch (error) {
        // It may have been forgotten, and closed, meanwhile.
        if (this.#queue.includes(queued)) throw error;
      }
    }
    return undefined;
  }

  /** The ring has deleted a file that has not been begun: a reader that is slower gets none of it. */
  async forget(index: number): Promise<void> {
    const at = this.#queue.findIndex((queued, place) => place > 0 && queued.index === index);
    const [forgotten] = at < 0 ? [] : this.#queue.splice(at, 1);
    if (!forgotten) return;
    const missing = addMissing(forgotten.missing, await missingIn(forgotten.file));
    await forgotten.file[Symbol.asyncDispose]();
    const next = this.#queue[at];
    if (next && at > 0) next.missing = addMissing(missing, next.missing);
    else this.#missing = addMissing(this.#missing, missing);
  }

  /**
   * Whether there are records, after reading more if there were none. Whether more has been written is looked at only when
   * all that is known has been read: that all of it had been written by then spares waiting for others each time.
   */
  async refill(nowMs: () => number): Promise<boolean> {
    this.#allocate();
    const startMs = nowMs();
    /** Once: a writer that appends what is no record must not keep its reader here. */
    let extended: QueuedFile | undefined;
    while (!this.hasRecords) {
      const [current] = this.#queue;
      if (!current) {
        this.emptyMs = startMs;
        return false;
      }
      const isSealed = this.#queue.length > 1;
      const run = await current.file.runs(this.#buffer, this.#offset).next();
      if (!run.done) {
        this.#begin(current, run.value.offset, run.value.bytes.length);
        continue;
      }
      if (extended !== current && (await extendQueued(current, nowMs))) {
        extended = current;
        continue;
      }
      if (run.value.kind === 'corrupt' && !this.#isCorrupt) {
        this.#isCorrupt = true;
        this.#note(run.value.message);
      }
      if (!isSealed) {
        this.emptyMs = startMs;
        return false;
      }
      this.#queue.shift();
      const [next] = this.#queue;
      if (next) next.missing = addMissing(current.missing, next.missing);
      this.#read.keep(current.file);
      this.#offset = fileHeaderBytes;
      this.#isCorrupt = false;
    }
    return true;
  }

  /** What is missing before the current record, or has no record after it; once. */
  takeMissing(): MissingPackets | undefined {
    const [current] = this.#queue;
    let missing = current?.missing;
    if (current) current.missing = undefined;
    if (!this.hasRecords) {
      missing = addMissing(missing, this.#missing);
      this.#missing = undefined;
    }
    return missing;
  }

  /** Passes the current record and those in memory that are no later than `untilUs`; returns their bytes. */
  take(untilUs: number): Uint8Array {
    const from = this.#at;
    if (untilUs === Number.POSITIVE_INFINITY) this.#at = this.#length;
    else
      do this.passOne();
      while (this.hasRecords && this.timeUs <= untilUs);
    return this.#buffer.subarray(from, this.#at);
  }

  passOne(): void {
    this.#at += this.#recordBytes;
  }

  /** Calls for each record that has been passed and is not earlier than `sinceUs`, as far as it is still known. */
  async passedSince(sinceUs: number, call: (record: GenerationTail) => void): Promise<void> {
    const buffer = new GenerationTail(this.number, this.record);
    buffer.header = this.header;
    buffer.#allocate();
    for (const mark of this.#read.since(sinceUs)) {
      const run = await mark.file.runs(buffer.#buffer, mark.from).next();
      if (run.done) continue;
      buffer.#convert(mark.file, this.#read.isLast(mark) ? this.#at : mark.length);
      for (; buffer.hasRecords; buffer.passOne()) if (buffer.timeUs >= sinceUs) call(buffer);
    }
  }

  /** Nothing of it is read any more: what is known of it is kept, its files and its memory are not. */
  async [Symbol.asyncDispose](): Promise<void> {
    const { files } = this;
    this.#queue.length = 0;
    this.#read.clear();
    [this.#at, this.#length] = [0, 0];
    this.#buffer = new Uint8Array(0);
    await Promise.all(files.map((file) => file[Symbol.asyncDispose]()));
  }

  /** Closes files that have been read, and are not needed any more. */
  async release(): Promise<void> {
    await this.#read.release();
  }

  #note(note: string): void {
    if (this.notes.length < mostNotes) this.notes.push(note);
  }

  /** A tail that has nothing to read needs no memory: a recording can have hundreds. */
  #allocate(): void {
    if (this.#buffer.length > 0) return;
    this.#buffer = new Uint8Array(runBufferBytes);
    this.#view = new DataView(this.#buffer.buffer);
  }

  #begin({ file, sizeMs }: QueuedFile, offset: number, length: number): void {
    this.#offset = offset + length;
    this.batchMs = sizeMs;
    this.#convert(file, length);
    this.#read.add({ file, from: offset, length, timeUs: this.timeUs });
    for (; this.hasRecords; this.passOne()) this.latestUs = Math.max(this.latestUs, this.timeUs);
    this.#at = 0;
  }

  #convert(file: PcapFile, length: number): void {
    this.#at = 0;
    this.#length = length;
    const { header } = this;
    if (header && !hasSameRecords(file.header, header))
      convertRecords(this.#buffer.subarray(0, length), file.header, header);
  }

  get #firstHeader(): PcapHeader {
    if (!this.header) throw new Error('there is no file yet');
    return this.header;
  }

  get #isLittle(): boolean {
    return this.header?.byteOrder === 'little';
  }

  get #recordBytes(): number {
    return recordHeaderBytes + this.#view.getUint32(this.#at + 8, this.#isLittle);
  }
}
