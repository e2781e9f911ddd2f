import type { CaptureInterface } from '../pcap/capture-interface.ts';
import { createDecoder, type Decoder } from '../pcap/decode/decoder.ts';
import type { MergeInput, PacketTime } from '../pcap/merge/merge-input.ts';
import { type OwnAddresses, ownAddresses } from '../pcap/merge/own-addresses.ts';
import type { Damage } from '../pcap/packet-reader.ts';
import type { CaptureReader } from '../pcap/read/capture-reader.ts';
import { ReadBuffer } from '../pcap/read/read-buffer.ts';
import type { NamedCapture } from './open-capture.ts';
import { cannotRead } from './terminal.ts';

/** What is known of a capture before it is merged. */
export type ScannedCapture = {
  readonly capture: NamedCapture;
  /** Of its first packet; undefined if it is a stream. */
  readonly startsAt: PacketTime | undefined;
  /** Described before its first packet. */
  readonly interfaces: readonly CaptureInterface[];
  /** The index of the interface of its first packet. */
  readonly firstInterface: number;
  /** Whose each interface is, by its index; undefined if it was not asked for, or if it is a stream. */
  readonly own: readonly OwnAddresses[] | undefined;
};

/** What a capture without packets says. */
export type EmptyCapture = {
  readonly name: string;
  readonly isFileEmpty: boolean;
  readonly reader: Pick<CaptureReader, 'interfaces' | 'received'>;
};

/** The captures with packets, and those without, with why they could not be read, if so. */
export type ScannedCaptures = {
  readonly captures: readonly ScannedCapture[];
  readonly empty: readonly EmptyCapture[];
  readonly damage: readonly Damage[];
};

/** The message names what is no capture. */
export type ScanResult =
  | ({ readonly kind: 'scanned' } & ScannedCaptures)
  | { readonly kind: 'unusable'; readonly message: string };

/** What is no capture, or cannot be read at all; the message names it. */
export type UnusableCapture = { readonly capture: NamedCapture; readonly message: string };

export type ScanOptions = { readonly withAddresses: boolean };

const scannedAtOnce = 16;

/** Looks at the start of each file. A stream cannot be read twice: it is only opened when it is merged. */
export async function scanCaptures(
  captures: readonly NamedCapture[],
  options: ScanOptions,
): Promise<ScanResult> {
  const scans = new CaptureScans();
  for await (const each of scansOf(captures, options)) {
    const unusable = scans.add(each);
    if (unusable) return { kind: 'unusable', message: unusable.message };
  }
  return { kind: 'scanned', ...scans.scanned };
}

/** The same, of those that can be read, and what the others are. */
export async function scanUsable(
  captures: readonly NamedCapture[],
  options: ScanOptions,
): Promise<ScannedCaptures & { readonly unusable: readonly UnusableCapture[] }> {
  const scans = new CaptureScans();
  const unusable: UnusableCapture[] = [];
  for await (const each of scansOf(captures, options)) {
    const problem = scans.add(each);
    if (problem) unusable.push(problem);
  }
  return { ...scans.scanned, unusable };
}

type ScanOf = { readonly capture: NamedCapture; readonly found: Scan };

class CaptureScans {
  readonly scanned = {
    captures: Array.of<ScannedCapture>(),
    empty: Array.of<EmptyCapture>(),
    damage: Array.of<Damage>(),
  };

  /** Returns what cannot be used. */
  add({ capture, found }: ScanOf): UnusableCapture | undefined {
    const { captures, empty, damage } = this.scanned;
    if (found.kind === 'not-capture') return { capture, message: found.message };
    if (found.kind === 'empty') {
      empty.push(found.capture);
      damage.push(...found.damage);
    } else captures.push(found);
    return undefined;
  }
}

async function* scansOf(
  captures: readonly NamedCapture[],
  { withAddresses }: ScanOptions,
): AsyncGenerator<ScanOf, void> {
  const tools: ScanTools = { buffers: [], decoder: withAddresses ? createDecoder() : undefined };
  for (let at = 0; at < captures.length; at += scannedAtOnce) {
    const some = captures.slice(at, at + scannedAtOnce);
    yield* await Promise.all(
      some.map(async (capture) => ({ capture, found: await scanOrRefuse(capture, tools) })),
    );
  }
}

type Scan =
  | ({ readonly kind: 'scanned' } & ScannedCapture)
  | { readonly kind: 'empty'; readonly capture: EmptyCapture; readonly damage: readonly Damage[] }
  | { readonly kind: 'not-capture'; readonly message: string };

/** Each scan takes a buffer and gives it back: a new one for each of 10,000 files took memory faster than it was freed. */
type ScanTools = { readonly buffers: ReadBuffer[]; readonly decoder: Decoder | undefined };

async function scanOrRefuse(capture: NamedCapture, tools: ScanTools): Promise<Scan> {
  const buffer = tools.buffers.pop() ?? new ReadBuffer(smallBufferBytes);
  try {
    return await scan(capture, buffer, tools.decoder);
  } catch (error) {
    return { kind: 'not-capture', message: cannotRead(capture.name, error) };
  } finally {
    tools.buffers.push(buffer);
  }
}

async function scan(capture: NamedCapture, buffer: ReadBuffer, decoder: Decoder | undefined): Promise<Scan> {
  if (capture.fileBytes === undefined)
    return {
      kind: 'scanned',
      capture,
      startsAt: undefined,
      interfaces: [],
      firstInterface: 0,
      own: undefined,
    };
  const opened = await capture.open({ buffer });
  if (opened.kind === 'not-capture') return opened;
  await using reader = opened.reader;
  if (!(await reader.next())) {
    const { interfaces, received, damage } = reader;
    const isFileEmpty = capture.fileBytes === 0;
    return {
      kind: 'empty',
      capture: { name: capture.name, isFileEmpty, reader: { interfaces, received } },
      damage,
    };
  }
  const { seconds, nanoseconds, interfaceIndex: firstInterface } = reader.packet;
  const interfaces = [...reader.interfaces];
  const own = decoder && (await ownAddresses(reader, decoder));
  return { kind: 'scanned', capture, startsAt: { seconds, nanoseconds }, interfaces, firstInterface, own };
}

const smallBufferBytes = 16 * 1024;
/** A larger one is not faster: 100 of them would not fit into the CPU's cache. */
const largeBufferBytes = 64 * 1024;
/** Captures that overlap share this much for large buffers; more than that get small ones. */
const buffersBytes = 64 * 1024 * 1024;

/** The captures as inputs of a merge, each opened when its first packet is due. */
export type MergeInputs = {
  readonly inputs: readonly MergeInput[];
  /** The input has ended: what its reader knows. */
  readonly ended: (input: number) => CaptureReader | undefined;
};

export function mergeInputs(captures: readonly ScannedCapture[]): MergeInputs {
  const opened = new Map<number, { readonly reader: CaptureReader; readonly buffer: ReadBuffer }>();
  /** Of inputs that have ended, for those that follow: the files of a ring begin one after the other. */
  const freeBuffers: ReadBuffer[] = [];
  const open = async (input: number, { capture }: ScannedCapture) => {
    const hasSpace = (opened.size + 1) * largeBufferBytes <= buffersBytes;
    const buffer = freeBuffers.pop() ?? new ReadBuffer(hasSpace ? largeBufferBytes : smallBufferBytes);
    const result = await capture.open({ buffer });
    if (result.kind === 'not-capture') throw new Error(result.message);
    const { reader } = result;
    opened.set(input, { reader, buffer });
    return reader;
  };
  return {
    inputs: captures.map((capture, input) => ({
      open: () => open(input, capture),
      ...(capture.startsAt && { startsAt: capture.startsAt }),
    })),
    ended(input) {
      const ending = opened.get(input);
      if (!ending) return undefined;
      opened.delete(input);
      freeBuffers.push(ending.buffer);
      return ending.reader;
    },
  };
}
