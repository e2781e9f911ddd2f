import { searchBlock } from './pcapng-resync.ts';
import { endWith, needsMore, type WalkerParts, type WalkerStep } from './walker.ts';

/** There is no packet here, but there may be one after it. */
export const passed = 3;

/** Where nothing could be read, and what was wrong there. */
type LostPlace = { readonly offset: number; readonly what: string; readonly kind: 'cut' | 'corrupt' };

/** Finds back to the blocks of a pcapng file after damage, and records it. */
export class PcapngRecovery {
  readonly #parts: WalkerParts;
  /** Damage after which no block has been found yet. */
  #lost: LostPlace | undefined;

  constructor(parts: WalkerParts) {
    this.#parts = parts;
  }

  get isLost(): boolean {
    return this.#lost !== undefined;
  }

  /** Passes a whole block that makes no sense. */
  skip(length: number, what: string): typeof passed {
    const { buffer } = this.#parts;
    this.addPassed(buffer.offset + buffer.at, length, what);
    buffer.at += length;
    return passed;
  }

  /** Records that a block of this length, or something of it, has been passed. */
  addPassed(offset: number, length: number, what: string): void {
    const { damages, name } = this.#parts;
    damages.add(name, { kind: 'corrupt', offset, what, resumedAt: offset + length });
  }

  /** What is here is no block: the next one has to be searched. */
  lose(what: string, kind: LostPlace['kind'] = 'corrupt'): typeof passed {
    const { buffer } = this.#parts;
    this.#lost = { offset: buffer.offset + buffer.at, what, kind };
    buffer.at = Math.min(buffer.at + 4, buffer.filled);
    return passed;
  }

  /** The block at this offset, which has been passed, was none: the next one is searched from here on. */
  loseAt(offset: number, what: string): void {
    this.#lost = { offset, what, kind: 'corrupt' };
  }

  /** Goes on searching for the next block. */
  search(littleEndian: boolean): WalkerStep | typeof passed {
    const { buffer, damages, name, table } = this.#parts;
    const lost = this.#lost;
    if (lost === undefined) return passed;
    const found = searchBlock(buffer, { littleEndian, interfaces: table.section.length });
    if (found === 'more') return needsMore;
    this.#lost = undefined;
    if (found === 'none') return endWith(this.#parts, lost);
    const resumedAt = buffer.offset + buffer.at;
    damages.add(name, { ...lost, kind: 'corrupt', resumedAt });
    return passed;
  }
}

export function differentLengths(first: number, second: number): string {
  return `a block with two different lengths, ${first} and ${second}`;
}

export function wrongLength(type: number, length: number): string {
  return `no block of type ${type} can have ${length} bytes`;
}

export function tooMany(captured: number): string {
  return `a packet of ${captured} bytes, more than its block or any packet has`;
}
