import type { CaptureInterface } from '../../pcap/capture-interface.ts';
import { microseconds } from '../../pcap/capture-interface.ts';
import type { DecodedPacket } from '../../pcap/decode/decoded-packet.ts';
import type { Damage, PacketReader } from '../../pcap/packet-reader.ts';
import type { ShowParts } from '../show.ts';

/** A packet whose bytes are this text, or a time in which there is none yet. */
export type Read = string | ShownPacket | Promise<unknown>;

export type ShownPacket = {
  readonly text: string;
  readonly interfaceIndex?: number;
  readonly nanoseconds?: number;
  readonly originalBytes?: number;
};

export type TestCapture = {
  readonly packets: Iterable<Read>;
  readonly interfaces?: readonly CaptureInterface[];
  readonly damage?: readonly Damage[];
};

export const ethernet: CaptureInterface = {
  linkType: 1,
  snaplen: 0,
  resolution: microseconds,
  offsetSeconds: 0n,
  name: undefined,
  description: undefined,
  filter: undefined,
  comment: undefined,
};

/** A reader that has one buffer, as a real one. */
export function readerOf({ packets, interfaces = [ethernet], damage = [] }: TestCapture): PacketReader {
  const each = packets[Symbol.iterator]();
  const buffer = new Uint8Array(1_024);
  // One that has more than the type asks for is a reader as well.
  const packet = {
    interfaceIndex: 0,
    timeHigh: 0,
    timeLow: 0,
    seconds: 1_700_000_000,
    nanoseconds: 0,
    originalBytes: 0,
    capturedBytes: 0,
    dataAt: 10,
    buffer,
    optionsAt: 0,
    optionsBytes: 0,
    optionsAreLittleEndian: true,
    view: new DataView(buffer.buffer),
  };

  function next(): boolean | Promise<boolean> {
    const read = each.next();
    if (read.done === true) return false;
    if (read.value instanceof Promise) return nextAfter(read.value);
    const {
      text,
      interfaceIndex = 0,
      nanoseconds = 0,
      originalBytes,
    }: ShownPacket = typeof read.value === 'string' ? { text: read.value } : read.value;
    const bytes = Buffer.from(text);
    buffer.set(bytes, packet.dataAt);
    Object.assign(packet, { interfaceIndex, nanoseconds, capturedBytes: bytes.length });
    packet.originalBytes = originalBytes ?? bytes.length;
    return true;
  }

  async function nextAfter(waiting: Promise<unknown>): Promise<boolean> {
    await waiting;
    return await next();
  }

  return { next, interfaces, damage, packet, [Symbol.asyncDispose]: async () => {} };
}

/** Takes the bytes for TCP with this text, and prints the time, the interface, the link type and the text. */
export function showParts(openReader: ShowParts['openReader']): ShowParts {
  return {
    openReader,
    decoder: () => ({
      decode: ({ buffer, dataAt, capturedBytes }, linkType) =>
        decodedOf(Buffer.from(buffer.subarray(dataAt, dataAt + capturedBytes)).toString(), linkType),
    }),
    lineOf: ({ info }, { seconds, nanoseconds, resolution, interfaceName = '-' }) =>
      `${seconds}+${nanoseconds} ${resolution} ${interfaceName} ${info}`,
  };
}

function decodedOf(text: string, linkType: number): DecodedPacket {
  return {
    protocols: ['tcp'],
    source: '10.0.0.1',
    destination: '10.0.0.2',
    sourcePort: 40_000,
    destinationPort: 80,
    vlans: [],
    tcp: undefined,
    payload: { from: 0, to: text.length },
    info: `${linkType} ${text}`,
  };
}
