import type { CaptureInterface } from '../capture-interface.ts';
import type { CurrentPacket } from '../packet-reader.ts';
import { EndPairs } from './end-pairs.ts';
import { Fifo } from './fifo.ts';
import type { PacketSequence } from './merge-captures.ts';
import type { PacketIdentity } from './packet-identity.ts';

/** What the packet is for --side: of the side that is kept, of the other one, or of neither. */
export type SidedPacket =
  | { readonly kind: 'alone' }
  | {
      readonly kind: 'kept' | 'other';
      readonly identity: PacketIdentity;
      /** The number of where it was captured. */
      readonly place: number;
    };

export type SideOf = (packet: CurrentPacket, input: number, description: CaptureInterface) => SidedPacket;

/** How far apart in time both ends can capture a packet: the way it takes, and what their clocks differ. */
const windowSeconds = 0.5;
/** Of packets that wait, with what each costs besides its bytes. */
const mostBytes = 32 * 1024 * 1024;
const heldBytes = 512;

/**
 * The packets of a merge, in its order. One of the side that is left out waits until its partner of the side that is
 * kept has come, or cannot come any more; what is behind it waits too, as copies.
 */
export class OneSidedPackets implements PacketSequence {
  readonly #merged: PacketSequence;
  readonly #sideOf: SideOf;
  readonly #pairs = new EndPairs<Held>(windowSeconds);
  readonly #queue = new Fifo<Held>();
  #queueBytes = 0;
  #latest = Number.NEGATIVE_INFINITY;
  #hasEnded = false;
  #current: Pick<Held, 'input' | 'reader' | 'isDuplicate'> | undefined;

  constructor(merged: PacketSequence, sideOf: SideOf) {
    this.#merged = merged;
    this.#sideOf = sideOf;
  }

  get input(): number {
    return this.#current?.input ?? this.#merged.input;
  }

  get reader(): PacketSequence['reader'] {
    return this.#current?.reader ?? this.#merged.reader;
  }

  /** Whether the side that is kept has the current packet as well. */
  get isDuplicate(): boolean {
    return this.#current?.isDuplicate ?? false;
  }

  next(): boolean | Promise<boolean> {
    while (!this.#isFirstReady()) {
      const more = this.#merged.next();
      if (typeof more !== 'boolean') return this.#nextAfter(more);
      if (this.#take(more)) return true;
    }
    return this.#release();
  }

  async #nextAfter(more: Promise<boolean>): Promise<boolean> {
    return this.#take(await more) || (await this.next());
  }

  /** Takes the packet that the merge is at; returns whether it can go on at once. */
  #take(hasPacket: boolean): boolean {
    this.#hasEnded = !hasPacket;
    if (!hasPacket) return false;
    const { input, reader } = this.#merged;
    const { packet, interfaces } = reader;
    this.#latest = Math.max(this.#latest, packet.seconds + packet.nanoseconds / 1e9);
    this.#pairs.forgetBefore(Math.min(this.#latest, this.#queue.first?.time ?? Infinity));
    const description = interfaces[packet.interfaceIndex];
    const sided: SidedPacket = description ? this.#sideOf(packet, input, description) : { kind: 'alone' };
    if (sided.kind === 'kept')
      for (const twin of this.#pairs.addKept(sided.identity, this.#latest)) setDuplicate(twin);
    if (sided.kind !== 'other' && this.#queue.size === 0) {
      this.#current = undefined;
      return true;
    }
    this.#hold(sided);
    return false;
  }

  #hold(sided: SidedPacket): void {
    const { input, reader } = this.#merged;
    const copy = copyOf(reader.packet);
    const held: Held = {
      input,
      reader: { packet: copy, interfaces: reader.interfaces },
      time: this.#latest,
      isWaiting: sided.kind === 'other',
      isDuplicate: false,
      identity: sided.kind === 'alone' ? noIdentity : identityIn(sided.identity, reader.packet, copy),
      place: sided.kind === 'alone' ? -1 : sided.place,
    };
    if (held.isWaiting && this.#pairs.addOther(held)) setDuplicate(held);
    this.#queue.push(held);
    this.#queueBytes += bytesOf(held);
  }

  #isFirstReady(): boolean {
    const { first } = this.#queue;
    if (this.#hasEnded || !first) return this.#hasEnded;
    return !first.isWaiting || this.#latest - first.time > windowSeconds || this.#queueBytes > mostBytes;
  }

  #release(): boolean {
    const first = this.#queue.shift();
    this.#current = first;
    if (!first) return false;
    this.#queueBytes -= bytesOf(first);
    if (first.isWaiting && this.#pairs.release(first)) setDuplicate(first);
    return true;
  }
}

/** A copy of a packet, and of where it was in the merge. */
type Held = {
  readonly input: number;
  readonly reader: PacketSequence['reader'];
  /** The latest time of a packet when it came, in seconds. */
  readonly time: number;
  /** Whether its partner can still come. */
  isWaiting: boolean;
  isDuplicate: boolean;
  readonly identity: PacketIdentity;
  readonly place: number;
};

const noIdentity: PacketIdentity = { start: '', rest: undefined, fragment: undefined, part: undefined };

function setDuplicate(held: Held): void {
  held.isWaiting = false;
  held.isDuplicate = true;
}

function bytesOf({ reader: { packet } }: Held): number {
  return heldBytes + packet.buffer.length;
}

/** The identity of a packet, with the bytes of its copy. */
function identityIn(
  identity: PacketIdentity,
  { buffer, dataAt }: CurrentPacket,
  copy: CurrentPacket,
): PacketIdentity {
  const { part } = identity;
  if (!part) return identity;
  const from = part.captured.byteOffset - buffer.byteOffset - dataAt;
  return {
    ...identity,
    part: { ...part, captured: copy.buffer.subarray(from, from + part.captured.length) },
  };
}

function copyOf(packet: CurrentPacket): CurrentPacket {
  const { buffer, dataAt, capturedBytes, optionsAt, optionsBytes } = packet;
  const copy = new Uint8Array(capturedBytes + optionsBytes);
  copy.set(buffer.subarray(dataAt, dataAt + capturedBytes));
  copy.set(buffer.subarray(optionsAt, optionsAt + optionsBytes), capturedBytes);
  const view = new DataView(copy.buffer);
  return { ...packet, buffer: copy, view, dataAt: 0, optionsAt: capturedBytes };
}
