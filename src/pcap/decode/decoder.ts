import { addressTexts } from './address-text.ts';
import type { DecodedPacket } from './decoded-packet.ts';
import { readPacket } from './link-layer.ts';
import { shorten } from './packet-text.ts';
import { tcpConnections } from './tcp-connections.ts';
import { newWalk, type PacketBytes, startWalk, walkResult } from './walk.ts';

/** Decodes the packets of one capture, in their order: relative numbers and retransmissions depend on those before. */
export type Decoder = {
  /** Never throws, whatever the bytes are. `linkType`: LINKTYPE_ value, tcpdump.org/linktypes.html. */
  readonly decode: (packet: PacketBytes, linkType: number) => DecodedPacket;
};

export type DecoderOptions = {
  /** At least this many TCP connections are followed, those used most recently, and at most twice as many, in 1 KB each. */
  readonly connections?: number;
};

/** Without the notes in brackets. The tree shows the rest. */
const maxInfoChars = 200;

export function createDecoder({ connections = 10_000 }: DecoderOptions = {}): Decoder {
  const walk = newWalk({ addresses: addressTexts(), connections: tcpConnections(connections) });
  return {
    decode(packet, linkType) {
      startWalk(walk, packet);
      readPacket(walk, linkType);
      walk.info = shorten(walk.info, maxInfoChars) + walk.notes + cutNote(packet);
      return walkResult(walk);
    },
  };
}

/** Says how much of a packet was captured, if it was not all. */
function cutNote({ capturedBytes, originalBytes }: PacketBytes): string {
  return capturedBytes < originalBytes ? ` [${capturedBytes} of ${originalBytes} bytes captured]` : '';
}
