import type { CurrentPacket } from '../packet-reader.ts';

export type PacketContent = {
  /** In the units of its interface. */
  readonly time: bigint;
  readonly original: number;
  /** Each character is a byte. */
  readonly data: string;
  readonly seconds?: number;
  readonly nanoseconds?: number;
};

/** A packet as a reader describes it, which is not at the start of its buffer. */
export function packetOf({
  time,
  original,
  data,
  seconds = 0,
  nanoseconds = 0,
}: PacketContent): CurrentPacket {
  const buffer = Uint8Array.from(Buffer.from(`before${data}`, 'latin1'));
  return {
    interfaceIndex: 0,
    timeHigh: Number(time >> 32n),
    timeLow: Number(time & 0xffff_ffffn),
    seconds,
    nanoseconds,
    originalBytes: original,
    capturedBytes: data.length,
    dataAt: 6,
    buffer,
    view: new DataView(buffer.buffer),
    optionsAt: 0,
    optionsBytes: 0,
    optionsAreLittleEndian: true,
  };
}
