import type { CaptureInterface } from '../capture-interface.ts';
import type { ReceivedPackets } from '../packet-reader.ts';
import { InterfaceClock } from './interface-clock.ts';

/** An interface of the current section, or of the current pcap file. */
export type SectionInterface = {
  /** Its index in `interfaces`. */
  readonly index: number;
  readonly snaplen: number;
  readonly clock: InterfaceClock;
  /** What earlier sections counted on it. */
  readonly earlier: ReceivedPackets | undefined;
};

/**
 * The interfaces of a capture, over all its files and sections. What the next file or section describes again in the
 * same place is the same interface. Bounded, in number and in bytes.
 */
export class InterfaceTable {
  readonly interfaces: CaptureInterface[] = [];
  readonly received: (ReceivedPackets | undefined)[] = [];
  /** The interfaces of the current section, by their number in it; undefined: its packets cannot be read. */
  section: (SectionInterface | undefined)[] = [];
  #previous: readonly (SectionInterface | undefined)[] = [];
  #textLength = 0;

  beginSection(): void {
    this.#previous = this.section;
    this.section = [];
  }

  /** Adds an interface to the section; false if there are too many. */
  add(description: CaptureInterface): boolean {
    const previous = this.#previous[this.section.length];
    const known = previous && this.interfaces[previous.index];
    const isKnown = previous !== undefined && known !== undefined && isSame(known, description);
    const index = isKnown ? previous.index : this.interfaces.length;
    if (!isKnown) {
      this.#textLength += texts(description).reduce((length, text) => length + (text?.length ?? 0), 0);
      if (index === maxInterfaces || this.#textLength > maxTextLength) return false;
      this.interfaces.push(description);
    }
    this.section.push({
      index,
      snaplen: description.snaplen,
      clock: new InterfaceClock(description),
      earlier: this.received[index],
    });
    return this.section.length <= maxInterfaces;
  }

  /** Adds an interface whose packets cannot be read; false if there are too many. */
  addUnreadable(): boolean {
    this.section.push(undefined);
    return this.section.length <= maxInterfaces;
  }

  /** What the current section has counted so far on one of its interfaces. */
  setReceived({ index, earlier }: SectionInterface, counted: ReceivedPackets): void {
    this.received[index] = {
      received: sum(earlier?.received, counted.received),
      dropped: sum(earlier?.dropped, counted.dropped),
      droppedBySystem: sum(earlier?.droppedBySystem, counted.droppedBySystem),
      comment: this.#kept(this.received[index]?.comment, counted.comment),
    };
  }

  /** The later comment of an interface in place of the one before, if the bound allows it. */
  #kept(before: string | undefined, later: string | undefined): string | undefined {
    if (later === undefined) return before;
    const length = this.#textLength - (before?.length ?? 0) + later.length;
    if (later.length > maxCommentLength || length > maxTextLength) return before;
    this.#textLength = length;
    return later;
  }
}

/** The interface number of a packet block of the older kind has 16 bits. */
const maxInterfaces = 65_536;

/** Names, filters, addresses and comments of all interfaces and their statistics, in UTF-16 units. */
const maxTextLength = 8 * 1024 * 1024;

/** Of interface statistics. */
const maxCommentLength = 4096;

function isSame(a: CaptureInterface, b: CaptureInterface): boolean {
  const others = texts(b);
  const own = texts(a);
  return (
    a.linkType === b.linkType &&
    a.snaplen === b.snaplen &&
    a.resolution.base === b.resolution.base &&
    a.resolution.exponent === b.resolution.exponent &&
    a.offsetSeconds === b.offsetSeconds &&
    a.frameCheckBytes === b.frameCheckBytes &&
    own.length === others.length &&
    own.every((text, at) => text === others[at])
  );
}

function texts(described: CaptureInterface): readonly (string | undefined)[] {
  const { name, description, filter, comment, addresses = [] } = described;
  return [name, description, filter, comment, ...addresses];
}

function sum(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined ? b : a + (b ?? 0);
}
