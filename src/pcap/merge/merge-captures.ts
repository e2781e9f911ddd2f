import type { CaptureInterface } from '../capture-interface.ts';
import type { CurrentPacket, PacketReader } from '../packet-reader.ts';
import { packetOptions } from '../write/packet-options.ts';
import type { PacketWriter, WriteProblem } from '../write/packet-writer.ts';
import { type KnownStatistics, type WrittenInterfaces, writtenInterfaces } from './written-interfaces.ts';

/** The packets of one or more inputs; the members describe the current one. */
export type PacketSequence = {
  /** Moves to the next packet; false at the end. */
  readonly next: () => boolean | Promise<boolean>;
  /** The index of its input. */
  readonly input: number;
  readonly reader: Pick<PacketReader, 'packet' | 'interfaces'>;
};

export type MergeCaptures = {
  readonly merged: PacketSequence;
  readonly writer: PacketWriter;
  /** Interfaces that are known before the first packet is read. */
  readonly interfaces: readonly CaptureInterface[];
  /** The description of the interface of a reader, with a name where its capture has none. */
  readonly describe: (input: number, description: CaptureInterface) => CaptureInterface;
  /** Whether a packet of that input is written. */
  readonly keeps: (packet: CurrentPacket, input: number, description: CaptureInterface) => boolean;
  /** How many packets are missing between this packet and the one before it of the same interface; asked once. */
  readonly droppedBefore: (packet: CurrentPacket, input: number) => number;
  /**
   * Called for each packet, also one that is not written: whether the reader of the output is to be told something before it. Then what
   * is pending comes in a chunk of its own, and `passBreak` is called after that. Undefined: never.
   */
  readonly breaksBefore?: (packet: CurrentPacket) => boolean;
  readonly passBreak?: (packet: CurrentPacket) => void;
  /** What is known of an interface of the output at the end. */
  readonly known: (description: CaptureInterface) => KnownStatistics;
};

/** How many packets are written; or why the output cannot have the next one. */
export type MergeEnd =
  | { readonly kind: 'end'; readonly packets: number }
  | ({ readonly kind: 'problem' } & WriteProblem);

/**
 * The bytes of the merged capture. Each chunk is valid until the one after the next is requested: it can be written while
 * the next one is merged. Where an input must be waited for, what is pending comes first, so that a reader of the output
 * sees packets as soon as they are there.
 */
export async function* mergeCaptures(options: MergeCaptures): AsyncGenerator<Uint8Array, MergeEnd> {
  const { merged, writer, interfaces } = options;
  const written = writtenInterfaces(writer);
  const numbers = new InputNumbers(options, written);
  for (const description of interfaces) {
    const number = written.numberOf(description);
    if (typeof number !== 'number') return { kind: 'problem', ...number };
  }
  for (;;) {
    let more = merged.next();
    if (typeof more !== 'boolean') {
      if (writer.pendingBytes > 0 && (await isStillPending(more))) yield writer.take();
      more = await more;
    }
    if (!more) break;
    const { packet } = merged.reader;
    if (options.breaksBefore?.(packet)) {
      if (writer.pendingBytes > 0) yield writer.take();
      options.passBreak?.(packet);
    }
    const problem = writeCurrent(options, numbers, written);
    if (problem) return { kind: 'problem', ...problem };
    if (writer.pendingBytes >= chunkBytes) yield writer.take();
  }
  writer.end(written.statistics(options.known));
  yield writer.take();
  return { kind: 'end', packets: written.packets() };
}

/** Written at once. */
const chunkBytes = 512 * 1024;
/** What comes within this time needs no write of its own. */
const flushAfterMs = 20;

async function isStillPending(more: Promise<boolean>): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<true>();
  const timer = setTimeout(() => resolve(true), flushAfterMs);
  const isPending = await Promise.race([promise, more.then(() => false)]);
  clearTimeout(timer);
  return isPending;
}

function writeCurrent(
  { merged, writer, keeps, droppedBefore }: MergeCaptures,
  numbers: InputNumbers,
  written: WrittenInterfaces,
): WriteProblem | undefined {
  const { input, reader } = merged;
  const { packet } = reader;
  const description = reader.interfaces[packet.interfaceIndex];
  if (!description) return undefined;
  if (!keeps(packet, input, description)) {
    numbers.addDropped(input, packet);
    return undefined;
  }
  const number = numbers.numberOf(input, packet.interfaceIndex, description);
  if (typeof number !== 'number') return number;
  const dropped = droppedBefore(packet, input) + numbers.takeDropped(input, packet.interfaceIndex);
  const problem = writer.writePacket(packet, number, dropped);
  if (!problem) written.count(number, packet);
  return problem;
}

/**
 * The numbers of the inputs' interfaces in the output, whose descriptions are compared once for each of them, and the
 * drop counts that are carried over.
 */
class InputNumbers {
  readonly #describe: MergeCaptures['describe'];
  readonly #written: WrittenInterfaces;
  readonly #byInput: number[][] = [];
  /** What packets say that are not written, until the next one of the same interface is: lost before them. */
  readonly #dropped = new Map<string, number>();

  constructor({ describe }: MergeCaptures, written: WrittenInterfaces) {
    this.#describe = describe;
    this.#written = written;
  }

  numberOf(input: number, index: number, description: CaptureInterface): number | WriteProblem {
    const known = this.#byInput[input]?.[index];
    if (known !== undefined) return known;
    const number = this.#written.numberOf(this.#describe(input, description));
    if (typeof number !== 'number') return number;
    const numbers = this.#byInput[input] ?? [];
    this.#byInput[input] = numbers;
    numbers[index] = number;
    return number;
  }

  addDropped(input: number, packet: CurrentPacket): void {
    const dropped = packet.optionsBytes === 0 ? 0 : (packetOptions(packet).dropped ?? 0);
    if (dropped === 0) return;
    const key = `${input} ${packet.interfaceIndex}`;
    this.#dropped.set(key, (this.#dropped.get(key) ?? 0) + dropped);
  }

  takeDropped(input: number, index: number): number {
    if (this.#dropped.size === 0) return 0;
    const key = `${input} ${index}`;
    const dropped = this.#dropped.get(key) ?? 0;
    this.#dropped.delete(key);
    return dropped;
  }
}
