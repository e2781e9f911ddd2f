import type { StreamGap } from '../../../api/stream-frames.ts';
import type { CurrentPacket } from '../../../pcap/packet-reader.ts';
import { recordHeaderBytes } from '../../../pcap/pcap-format.ts';
import { addMissing, gapOf, type MissingPackets } from './missing-packets.ts';

/** What is missing in a stream that follows a ring, and where: before the next packet of a source. */
export type FollowGaps = {
  readonly missing: (source: number, missing: MissingPackets) => void;
  /** That many are missing between two captures. */
  readonly restarted: (source: number, packets: number) => void;
  readonly isBefore: (source: number) => boolean;
  /** What is before the packet has been taken. */
  readonly pass: (source: number) => void;
  /** There is no packet after what is missing now. */
  readonly passAll: () => void;
  /** For frames: what has been passed since the last call. */
  readonly takePassed: () => readonly StreamGap[];
  /** For a capture file: how many packets are missing before the packet; an estimate where nobody counted them. */
  readonly takeDropped: (source: number) => number;
  /** A packet is sent. */
  readonly count: (packet: CurrentPacket) => void;
  /** How many were sent. */
  readonly packets: () => number;
};

/** Without gaps so far. */
export function followGaps(): FollowGaps {
  const before = new Map<number, MissingPackets>();
  const dropped = new Map<number, number>();
  let passed: StreamGap[] = [];
  let [packets, bytes] = [0, 0];

  const add = (source: number, missing: MissingPackets) => {
    const sum = addMissing(before.get(source), missing);
    if (sum) before.set(source, sum);
  };
  /** At the size of the packets that were sent. */
  const estimate = (missingBytes = 0) =>
    packets === 0 ? 0 : Math.round(missingBytes / (bytes / packets + recordHeaderBytes));

  function pass(source: number): void {
    const missing = before.get(source);
    if (!missing) return;
    before.delete(source);
    passed.push(gapOf(missing));
    const count = missing.packets ?? estimate(missing.bytes);
    dropped.set(source, (dropped.get(source) ?? 0) + count);
  }

  return {
    missing: add,
    restarted(source, count) {
      if (count > 0) add(source, { reason: 'CaptureRestarted', packets: count, bytes: undefined });
    },
    isBefore: (source) => before.has(source),
    pass,
    passAll() {
      for (const source of before.keys()) pass(source);
    },
    takePassed() {
      const taken = passed;
      passed = [];
      return taken;
    },
    takeDropped(source) {
      const count = dropped.get(source) ?? 0;
      dropped.delete(source);
      return count;
    },
    count(packet) {
      packets += 1;
      bytes += packet.capturedBytes;
    },
    packets: () => packets,
  };
}
