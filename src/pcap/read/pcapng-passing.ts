import { differentLengths, type PcapngRecovery, passed } from './pcapng-recovery.ts';
import { endWith, needsMore, type WalkerParts, type WalkerStep } from './walker.ts';

/** A longer block of a type that is not read is taken for damage: wiretap reads no block that is longer. */
export const maxPassedBytes = 16 * 1024 * 1024;

type PassedBlock = {
  readonly offset: number;
  readonly length: number;
  left: number;
  /** The damage that it is to pass it. */
  readonly what: string | undefined;
};

/** Passes blocks without holding them in memory, and checks that their second length equals the first. */
export class PcapngPassing {
  readonly #parts: WalkerParts;
  readonly #recovery: PcapngRecovery;
  #block: PassedBlock | undefined;

  constructor(parts: WalkerParts, recovery: PcapngRecovery) {
    this.#parts = parts;
    this.#recovery = recovery;
  }

  get isPassing(): boolean {
    return this.#block !== undefined;
  }

  /** Starts to pass the block that the buffer is at. */
  start(length: number, what: string | undefined): typeof passed {
    const { offset, at } = this.#parts.buffer;
    this.#block = { offset: offset + at, length, left: length, what };
    return passed;
  }

  /** Passes some of its bytes, which are in the buffer. */
  skip(bytes: number): void {
    if (this.#block === undefined) return;
    this.#parts.buffer.at += bytes;
    this.#block.left -= bytes;
  }

  /** Goes on with it. */
  go(littleEndian: boolean): WalkerStep | typeof passed {
    const block = this.#block;
    if (block === undefined) return passed;
    const { buffer } = this.#parts;
    this.skip(Math.min(block.left - 4, buffer.filled - buffer.at));
    const { offset, length, what } = block;
    if (block.left > 4 || buffer.filled - buffer.at < 4) {
      buffer.wanted = 4;
      if (!buffer.ended) return needsMore;
      return endWith(this.#parts, { kind: 'cut', offset, what: 'the file ends inside a block' });
    }
    this.#block = undefined;
    const second = buffer.view.getUint32(buffer.at, littleEndian);
    if (second !== length) {
      this.#recovery.loseAt(offset, differentLengths(length, second));
      return passed;
    }
    buffer.at += 4;
    if (what !== undefined) this.#recovery.addPassed(offset, length, what);
    return passed;
  }
}
