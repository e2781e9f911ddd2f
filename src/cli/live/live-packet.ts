import type { CaptureInterface } from '../../pcap/capture-interface.ts';
import type { CurrentPacket } from '../../pcap/packet-reader.ts';

/** A packet of a tap that is kept until those of other taps have come which may be earlier. */
export type LivePacket = {
  /** Whose tap it came from: its uid, or its name where that is all that is known. */
  readonly pod: string;
  readonly packet: CurrentPacket;
  readonly description: CaptureInterface;
  /** Packets of the same interface that came before it, and for which there was no space here. */
  readonly missingBefore: number;
};

/** The packet with its own copy of its bytes: a reader uses its buffer again. */
export function copiedPacket(packet: CurrentPacket): CurrentPacket {
  const { buffer, dataAt, capturedBytes, optionsAt, optionsBytes } = packet;
  const bytes = new Uint8Array(capturedBytes + optionsBytes);
  bytes.set(buffer.subarray(dataAt, dataAt + capturedBytes));
  bytes.set(buffer.subarray(optionsAt, optionsAt + optionsBytes), capturedBytes);
  return {
    ...packet,
    buffer: bytes,
    view: new DataView(bytes.buffer),
    dataAt: 0,
    optionsAt: capturedBytes,
  };
}

/** About how much memory it takes. */
export function heldBytes({ packet }: LivePacket): number {
  return packet.buffer.length + packetOverheadBytes;
}

/** Of the objects around the bytes, as V8 lays them out. */
const packetOverheadBytes = 400;
