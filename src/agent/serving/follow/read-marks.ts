import type { PcapFile } from '../../../pcap/pcap-file.ts';

/** Where a run of records is. */
export type ReadMark = {
  readonly file: PcapFile;
  readonly from: number;
  readonly length: number;
  /** Of its first record. */
  readonly timeUs: number;
};

/** About 64 MiB of a fast capture: more than passes in the seconds in which captures are handed over. */
const mostMarks = 128;
/** Files before those of the newest few are not needed: what is compared is seconds old. */
const mostKeptMarks = 8;

/** Where the records are that have been read a moment ago, and the files that they are in. */
export class ReadMarks {
  #marks: ReadMark[] = [];
  #files: PcapFile[] = [];

  /** The files that have been read to their end, and are still open. */
  get files(): readonly PcapFile[] {
    return this.#files;
  }

  /** The time of the newest mark; -Infinity if there is none. */
  get lastUs(): number {
    return this.#marks.at(-1)?.timeUs ?? Number.NEGATIVE_INFINITY;
  }

  add(mark: ReadMark): void {
    this.#marks.push(mark);
    if (this.#marks.length > mostMarks) this.#marks.shift();
  }

  /** Keeps a file that has been read to its end open until it is not needed any more. */
  keep(file: PcapFile): void {
    this.#files.push(file);
  }

  isLast(mark: ReadMark): boolean {
    return mark === this.#marks.at(-1);
  }

  /** Where all records from that time on are, and some before. */
  since(sinceUs: number): readonly ReadMark[] {
    const before = this.#marks.findLastIndex(({ timeUs }) => timeUs < sinceUs);
    return this.#marks.slice(Math.max(0, before));
  }

  /** Closes the files that are not needed any more. */
  async release(): Promise<void> {
    const needed = new Set(this.#marks.slice(-mostKeptMarks).map(({ file }) => file));
    const done = this.#files.filter((file) => !needed.has(file));
    if (done.length === 0) return;
    this.#files = this.#files.filter((file) => needed.has(file));
    this.#marks = this.#marks.filter(({ file }) => !done.includes(file));
    await Promise.all(done.map((file) => file[Symbol.asyncDispose]()));
  }

  /** Forgets everything; the caller closes the files. */
  clear(): void {
    this.#marks = [];
    this.#files = [];
  }
}
