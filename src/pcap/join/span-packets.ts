import type { CaptureInterface } from '../capture-interface.ts';
import { type Damage, emptyPacket, type PacketReader } from '../packet-reader.ts';
import { type PcapHeader, recordHeaderBytes } from '../pcap-format.ts';
import { setRecordTime } from '../pcap-record-time.ts';

/** Whole records of one source, back to back; at least one. They are valid until the next span is requested. */
export type RecordSpan = { readonly source: number; readonly bytes: Uint8Array };

export type SpanPacketsOptions = {
  readonly spans: AsyncGenerator<RecordSpan, void>;
  /** Those of the sources, in the same order. More may be added at the end. */
  readonly interfaces: readonly CaptureInterface[];
  readonly headerOf: (source: number) => PcapHeader | undefined;
  /** What could not be read so far. */
  readonly damage: readonly Damage[];
};

/** The packets of spans of records. The interface of a packet has the index of its source. */
export class SpanPackets implements PacketReader {
  readonly packet = emptyPacket();
  readonly interfaces: readonly CaptureInterface[];
  readonly damage: readonly Damage[];
  readonly #spans: AsyncGenerator<RecordSpan, void>;
  readonly #headerOf: SpanPacketsOptions['headerOf'];
  #header: PcapHeader | undefined;
  #at = 0;

  constructor({ spans, interfaces, headerOf, damage }: SpanPacketsOptions) {
    this.#spans = spans;
    this.interfaces = interfaces;
    this.#headerOf = headerOf;
    this.damage = damage;
  }

  next(): boolean | Promise<boolean> {
    if (this.#at >= this.packet.buffer.length) return this.#nextSpan();
    this.#read();
    return true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#spans.return();
  }

  async #nextSpan(): Promise<boolean> {
    const { packet } = this;
    const next = await this.#spans.next();
    if (next.done) return false;
    const { source, bytes } = next.value;
    this.#header = this.#headerOf(source);
    this.#at = 0;
    packet.interfaceIndex = source;
    packet.buffer = bytes;
    packet.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#read();
    return true;
  }

  /** Reads the record at `#at`, which is a whole one. */
  #read(): void {
    const { packet } = this;
    const { view } = packet;
    const at = this.#at;
    const isLittle = this.#header?.byteOrder === 'little';
    const fractions = this.#header?.resolution === 'ns' ? 1_000_000_000 : 1_000_000;
    setRecordTime(packet, view.getUint32(at, isLittle), view.getUint32(at + 4, isLittle), fractions);
    packet.capturedBytes = view.getUint32(at + 8, isLittle);
    packet.originalBytes = view.getUint32(at + 12, isLittle);
    packet.dataAt = at + recordHeaderBytes;
    this.#at = packet.dataAt + packet.capturedBytes;
  }
}
