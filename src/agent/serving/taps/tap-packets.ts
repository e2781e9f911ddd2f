import type { StreamGap } from '../../../api/stream-frames.ts';
import type { CaptureInterface } from '../../../pcap/capture-interface.ts';
import type { CurrentPacket } from '../../../pcap/packet-reader.ts';
import type { PacketWriter, WriteProblem } from '../../../pcap/write/packet-writer.ts';
import type { CaptureStream } from '../capture-stream.ts';

/** The packets of a tap on their way to its reader, who gets whole packets or hears how many are missing. */
export type TapPackets = {
  /** Returns the number of the interface, to pass with its packets. */
  readonly addInterface: (description: CaptureInterface) => number | WriteProblem;
  readonly packet: (packet: CurrentPacket, interfaceNumber: number) => void;
  /** The kernel has dropped so many packets of an interface in all; undefined: unknown. */
  readonly droppedByKernel: (interfaceNumber: number, total: number | undefined) => void;
  /** Sends what is pending. */
  readonly flush: () => void;
  /** Sends what each interface has counted. */
  readonly statistics: () => void;
  readonly counts: () => TapCounts;
};

export type TapCounts = {
  /** Packets that were sent. */
  readonly packets: number;
  /** Packets that the reader was too slow for. */
  readonly tooSlow: number;
  readonly droppedByKernel: number;
};

export type TapPacketsOptions = {
  readonly writer: PacketWriter;
  readonly stream: Pick<CaptureStream, 'pendingBytes' | 'write' | 'gap'>;
  /** How much waits for the reader, at most; packets are dropped until half of it is taken. */
  readonly mostPendingBytes: number;
  /** How many packets are sent; undefined: no limit. */
  readonly count: number | undefined;
  /** Called once so many are. */
  readonly onCount: () => void;
};

/** Larger chunks cost the reader a longer wait, and the agent no less. */
const chunkBytes = 64 * 1024;

type InterfaceCounts = {
  sent: number;
  tooSlow: number;
  droppedByKernel: number;
  /** Missing before its next packet. */
  missing: number;
};

export function tapPackets(options: TapPacketsOptions): TapPackets {
  const { writer, stream, mostPendingBytes, count, onCount } = options;
  const interfaces: InterfaceCounts[] = [];
  let sent = 0;
  let isDropping = false;
  let slowGap: StreamGap & { readonly packets: number; readonly bytes: number } = noSlowGap;

  function isFull(): boolean {
    const most = isDropping ? mostPendingBytes / 2 : mostPendingBytes;
    isDropping = stream.pendingBytes() + writer.pendingBytes > most;
    return isDropping;
  }

  function flush(): void {
    // The writer writes into these bytes again.
    if (writer.pendingBytes > 0) send(stream.write(Uint8Array.from(writer.take())));
  }

  function gap(found: StreamGap): void {
    flush();
    send(stream.gap(found));
  }

  function reportSlowness(): void {
    if (slowGap.packets > 0) gap(slowGap);
    slowGap = noSlowGap;
  }

  return {
    addInterface(description) {
      const added = writer.addInterface(description);
      if (typeof added === 'number')
        interfaces[added] = { sent: 0, tooSlow: 0, droppedByKernel: 0, missing: 0 };
      return added;
    },
    packet(packet, interfaceNumber) {
      const counts = interfaces[interfaceNumber];
      if (!counts || (count !== undefined && sent >= count)) return;
      if (isFull()) {
        counts.tooSlow += 1;
        counts.missing += 1;
        const { packets, bytes } = slowGap;
        slowGap = { ...slowGap, packets: packets + 1, bytes: bytes + packet.capturedBytes };
        return;
      }
      reportSlowness();
      if (writer.writePacket(packet, interfaceNumber, counts.missing)) return;
      counts.missing = 0;
      counts.sent += 1;
      sent += 1;
      if (writer.pendingBytes >= chunkBytes) flush();
      if (sent === count) onCount();
    },
    droppedByKernel(interfaceNumber, total = 0) {
      const counts = interfaces[interfaceNumber];
      const packets = total - (counts?.droppedByKernel ?? 0);
      if (!counts || packets <= 0) return;
      counts.droppedByKernel += packets;
      counts.missing += packets;
      gap({ reason: 'Dropped', packets });
    },
    flush,
    statistics() {
      reportSlowness();
      writer.end(interfaces.map(statisticsOf));
      flush();
    },
    counts: () => ({
      packets: sent,
      tooSlow: sum(interfaces.map(({ tooSlow }) => tooSlow)),
      droppedByKernel: sum(interfaces.map(({ droppedByKernel }) => droppedByKernel)),
    }),
  };
}

/** Nothing waits for it: `isFull` has a look at what is pending. Whoever runs the tap learns that its reader is gone. */
function send(sending: Promise<void>): void {
  sending.catch(() => {});
}

const noSlowGap = { reason: 'ReaderTooSlow', packets: 0, bytes: 0 } as const;

/** Received: what passed the filter. */
function statisticsOf({ sent, tooSlow, droppedByKernel }: InterfaceCounts, interfaceNumber: number) {
  return {
    interfaceNumber,
    end: BigInt(Date.now()) * 1_000n,
    received: BigInt(sent + tooSlow + droppedByKernel),
    dropped: BigInt(droppedByKernel),
    droppedBySystem: BigInt(tooSlow),
    delivered: BigInt(sent),
    comment: tooSlow === 0 ? undefined : `${tooSlow} packets dropped: the reader was too slow`,
  };
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
