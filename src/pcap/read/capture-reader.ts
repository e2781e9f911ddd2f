import { emptyPacket, type PacketReader, type ReceivedPackets } from '../packet-reader.ts';
import { fileHeaderBytes } from '../pcap-format.ts';
import {
  type ByteInput,
  fileInput,
  type OpenedInput,
  type OpenFile,
  openFileInput,
  streamInput,
} from './byte-input.ts';
import { detectFormat } from './capture-format.ts';
import { DamageList } from './damage-list.ts';
import { InterfaceTable } from './interface-table.ts';
import { beginPcap } from './pcap-walker.ts';
import { PcapngWalker } from './pcapng-walker.ts';
import { defaultBufferBytes, ReadBuffer } from './read-buffer.ts';
import { readSectionHeader, sectionHeaderBytes } from './section-header.ts';
import { foundPacket, isOver, needsMore, type Walker, type WalkerStep } from './walker.ts';

export type CaptureReader = PacketReader & {
  /** By the index of the interface. Complete only after `next` has returned false. */
  readonly received: readonly (ReceivedPackets | undefined)[];
};

/** A capture, or what it is instead; the message has its path or name. */
export type OpenedCapture =
  | { readonly kind: 'capture'; readonly reader: CaptureReader }
  | { readonly kind: 'not-capture'; readonly message: string };

export type ReaderOptions = {
  /** The buffer; it grows only for a longer block, to maxBlockBytes at most, or twice that after damage. */
  readonly bufferBytes?: number;
  /** Used instead of a new one: that of another reader, which has been disposed of. */
  readonly buffer?: ReadBuffer;
};

/**
 * Opens files of one writer, oldest first, as one capture: pcap and pcapng, also mixed. Only one is open at a time.
 * The first one must be a capture; a later one that is none, or is gone, is damage. A file without a complete header,
 * as tcpdump leaves it for a moment, has no packets. Throws the errors of open(2) and read(2), as `next` does.
 */
export async function openCaptureFiles(
  files: readonly (string | OpenFile)[],
  options: ReaderOptions = {},
): Promise<OpenedCapture> {
  const inputs = files.map(waitingFile);
  return await openInputs(inputs, options);
}

/** Opens a capture that comes from standard input, a FIFO or a connection. Waits for its first bytes. */
export async function openCaptureStream(
  stream: AsyncIterable<Uint8Array>,
  options: ReaderOptions & { readonly name: string },
): Promise<OpenedCapture> {
  return await openInputs([waitingInput(streamInput(stream, options.name))], options);
}

/** An input whose turn has not come yet. */
type WaitingInput = {
  readonly open: () => Promise<OpenedInput>;
  /** Instead of opening it. */
  readonly close: () => Promise<void>;
};

function waitingFile(file: string | OpenFile): WaitingInput {
  if (typeof file !== 'string') return waitingInput(fileInput(file));
  return { open: async () => openFileInput(file), close: async () => {} };
}

function waitingInput(input: ByteInput): WaitingInput {
  return {
    open: async () => ({ kind: 'open', input }),
    close: async () => await input[Symbol.asyncDispose](),
  };
}

async function openInputs(inputs: readonly WaitingInput[], options: ReaderOptions): Promise<OpenedCapture> {
  await using opening = new AsyncDisposableStack();
  const reader = opening.use(new InputsReader(inputs, bufferOf(options)));
  const problem = await reader.begin();
  if (problem !== undefined) return { kind: 'not-capture', message: problem };
  opening.move();
  return { kind: 'capture', reader };
}

function bufferOf({ buffer, bufferBytes = defaultBufferBytes }: ReaderOptions): ReadBuffer {
  return buffer ?? new ReadBuffer(bufferBytes);
}

class InputsReader implements CaptureReader {
  readonly packet = emptyPacket();
  readonly #inputs: readonly WaitingInput[];
  readonly #buffer: ReadBuffer;
  readonly #table = new InterfaceTable();
  readonly #damages = new DamageList();
  #walker: Walker = overWalker;
  #input: ByteInput | undefined;
  #nextInput = 0;

  constructor(inputs: readonly WaitingInput[], buffer: ReadBuffer) {
    this.#inputs = inputs;
    this.#buffer = buffer;
  }

  get interfaces() {
    return this.#table.interfaces;
  }

  get received() {
    return this.#table.received;
  }

  get damage() {
    return this.#damages.list;
  }

  next(): boolean | Promise<boolean> {
    let step = this.#walker.step();
    while (step === needsMore) {
      const reading = this.#buffer.more();
      if (reading) return this.#proceed(step, reading);
      step = this.#walker.step();
    }
    return step === foundPacket ? true : this.#proceed(step);
  }

  /** Opens the next input; returns what is wrong with it. */
  async begin(): Promise<string | undefined> {
    await this.#close();
    const opened = await this.#inputs[this.#nextInput++]?.open();
    if (opened === undefined) return undefined;
    if (opened.kind === 'unreadable') return opened.message;
    this.#input = opened.input;
    this.#buffer.begin(opened.input);
    const walker = await this.#walkerOf(opened.input.name);
    if ('what' in walker) return `${opened.input.name} ${walker.what}`;
    this.#walker = walker;
    return undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const waiting = this.#inputs.slice(this.#nextInput);
    this.#nextInput = this.#inputs.length;
    await Promise.all([this.#close(), ...waiting.map((input) => input.close())]);
  }

  /** Goes on after what the walker said, or, if that needs more, after it has been read. */
  async #proceed(first: WalkerStep, reading?: Promise<void>): Promise<boolean> {
    await reading;
    for (let step = reading ? this.#walker.step() : first; step !== foundPacket; step = this.#walker.step()) {
      if (step === needsMore) await this.#buffer.more();
      else if (!(await this.#beginNext())) return false;
    }
    return true;
  }

  async #beginNext(): Promise<boolean> {
    if (this.#nextInput >= this.#inputs.length) {
      this.#damages.finish();
      await this.#close();
      return false;
    }
    const problem = await this.begin();
    if (problem !== undefined) this.#damages.addInput(problem);
    return true;
  }

  async #walkerOf(name: string): Promise<Walker | { readonly what: string }> {
    const buffer = this.#buffer;
    const start = await this.#start(4);
    const format = detectFormat(start);
    if (format.kind === 'other') return format;
    const parts = { buffer, table: this.#table, packet: this.packet, damages: this.#damages, name };
    const needed = format.kind === 'pcapng' ? sectionHeaderBytes : fileHeaderBytes;
    const header = await this.#start(needed);
    if (format.kind === 'undecided' || header.length < needed) {
      const what = `the file ends inside its header, after ${header.length} bytes`;
      if (header.length > 0) this.#damages.add(name, { kind: 'cut', offset: 0, what });
      return overWalker;
    }
    if (format.kind === 'pcap') return beginPcap(parts, format);
    const section = readSectionHeader(buffer.view, buffer.at, buffer.filled);
    if (section.kind === 'header' && section.unknownVersion !== undefined)
      return { what: `has the pcapng version ${section.unknownVersion}; only 1.0 and 1.2 can be read` };
    return new PcapngWalker(parts);
  }

  /** The first bytes of the input, fewer only if it has no more. */
  async #start(bytes: number): Promise<Uint8Array> {
    const buffer = this.#buffer;
    buffer.wanted = bytes;
    while (buffer.filled < bytes && !buffer.ended) await buffer.more();
    return buffer.bytes.subarray(0, Math.min(bytes, buffer.filled));
  }

  async #close(): Promise<void> {
    const input = this.#input;
    this.#input = undefined;
    this.#walker = overWalker;
    await input?.[Symbol.asyncDispose]();
  }
}

/** An input without packets. */
const overWalker: Walker = { step: () => isOver };
