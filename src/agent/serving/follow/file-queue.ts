import type { PcapFile } from '../../../pcap/pcap-file.ts';
import { addMissing, type MissingPackets, missingIn } from './missing-packets.ts';

/** A file that is to be read, and what is missing before it. */
export type QueuedFile = {
  readonly index: number;
  readonly file: PcapFile;
  missing: MissingPackets | undefined;
  /** By when it had as many bytes as are known, by the monotonic clock. */
  sizeMs: number;
};

/**
 * The files of one start of tcpdump that have not been read to their end, oldest first: the first one is being read. What is
 * missing between them stays where it is, whichever of them go meanwhile.
 */
export class FileQueue {
  readonly #queue: QueuedFile[] = [];
  /** After all of them. */
  #missing: MissingPackets | undefined;

  /** The one that is being read. */
  get current(): QueuedFile | undefined {
    return this.#queue[0];
  }

  /** Nothing is written into the current one any more. */
  get isSealed(): boolean {
    return this.#queue.length > 1;
  }

  get files(): readonly PcapFile[] {
    return this.#queue.map(({ file }) => file);
  }

  /** The indices of files that have not been begun. */
  get waiting(): readonly number[] {
    return this.#queue.slice(1).map(({ index }) => index);
  }

  add(queued: QueuedFile): void {
    this.#queue.push({ ...queued, missing: addMissing(this.#missing, queued.missing) });
    this.#missing = undefined;
  }

  /** Something is missing after all files that are known. */
  lack(missing: MissingPackets): void {
    this.#missing = addMissing(this.#missing, missing);
  }

  /** The ring has deleted a file that has not been begun: a reader that is slower gets none of it. */
  async forget(index: number, nowMs: () => number): Promise<void> {
    const forgotten = this.#queue.slice(1).find((queued) => queued.index === index);
    if (!forgotten) return;
    const counted = await this.#unlessGone(forgotten, async () => {
      await extendQueued(forgotten, forgotten.file.size(), nowMs);
      return await missingIn(forgotten.file);
    });
    // Meanwhile the reader has come nearer. If it has begun this one, nothing of it is missing.
    const at = this.#queue.indexOf(forgotten);
    if (at < 1) return;
    this.#remove(at, counted);
    await forgotten.file[Symbol.asyncDispose]();
  }

  /** The current one has been read; `rest` is missing at its end. */
  shift(rest: MissingPackets | undefined): void {
    if (this.#queue.length > 0) this.#remove(0, rest);
  }

  /** What is missing before what is read next; once. `isAtEnd`: and what has nothing after it. */
  takeMissing(isAtEnd: boolean): MissingPackets | undefined {
    const { current } = this;
    const before = current?.missing;
    if (current) current.missing = undefined;
    if (!isAtEnd) return before;
    const missing = addMissing(before, this.#missing);
    this.#missing = undefined;
    return missing;
  }

  /** The time of the first record; undefined if there is none. */
  async firstUs(nowMs: () => number): Promise<number | undefined> {
    for (const queued of this.#queue.slice()) {
      const timeUs = await this.#unlessGone(queued, async () => {
        await extendQueued(queued, queued.file.size(), nowMs);
        return await queued.file.firstUs();
      });
      if (timeUs !== undefined) return timeUs;
    }
    return undefined;
  }

  /** Forgets all files; the caller closes them. */
  clear(): void {
    this.#queue.length = 0;
  }

  /** Undefined if it fails because the file has been read or forgotten, and closed, meanwhile. */
  async #unlessGone<T>(queued: QueuedFile, read: () => Promise<T>): Promise<T | undefined> {
    try {
      return await read();
    } catch (error) {
      if (this.#queue.includes(queued)) throw error;
      return undefined;
    }
  }

  /** What was missing before it and `inside` it is missing before the next one. */
  #remove(at: number, inside: MissingPackets | undefined): void {
    const [removed] = this.#queue.splice(at, 1);
    const missing = addMissing(removed?.missing, inside);
    const next = this.#queue[at];
    if (next) next.missing = addMissing(missing, next.missing);
    else this.#missing = addMissing(missing, this.#missing);
  }
}

/** Whether the file is longer than `knownBytes` by now. */
export async function extendQueued(
  queued: QueuedFile,
  knownBytes: number,
  nowMs: () => number,
): Promise<boolean> {
  const before = queued.file.size();
  await queued.file.extend();
  if (queued.file.size() !== before) queued.sizeMs = nowMs();
  return queued.file.size() !== knownBytes;
}
