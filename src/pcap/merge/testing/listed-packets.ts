import { microseconds } from '../../capture-interface.ts';
import { emptyPacket, type PacketReader } from '../../packet-reader.ts';
import type { MergedPackets } from '../merged-packets.ts';

/** A packet of a test: its time in nanoseconds, and what happens before it is there. */
export type ListedPacket = {
  readonly ns: number;
  /** The reader must read more first: its packet is there when this resolves, and nothing follows if it rejects. */
  readonly after?: Promise<unknown>;
};

/** A reader of packets that are already there, or that come when a promise resolves. */
export function listedPackets(
  packets: readonly ListedPacket[],
  onDispose: () => void = () => {},
): PacketReader {
  let at = -1;
  const packet = emptyPacket();
  const arrive = ({ ns }: ListedPacket) => {
    packet.seconds = Math.floor(ns / 1e9);
    packet.nanoseconds = ns % 1e9;
    return true;
  };
  return {
    next() {
      at += 1;
      const listed = packets[at];
      if (!listed) return false;
      return listed.after ? listed.after.then(() => arrive(listed)) : arrive(listed);
    },
    interfaces: [
      {
        linkType: 1,
        snaplen: 262_144,
        resolution: microseconds,
        offsetSeconds: 0n,
        name: undefined,
        description: undefined,
        filter: undefined,
        comment: undefined,
      },
    ],
    damage: [],
    packet,
    [Symbol.asyncDispose]: async () => onDispose(),
  };
}

/** The input and the time of each packet, in the order in which they come. */
export async function orderOf(merged: MergedPackets): Promise<string[]> {
  const order: string[] = [];
  while (await merged.next()) {
    const { seconds, nanoseconds } = merged.reader.packet;
    order.push(`${merged.input}:${seconds * 1e9 + nanoseconds}`);
  }
  return order;
}
