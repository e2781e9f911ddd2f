import type { CaptureInterface } from '../capture-interface.ts';
import type { CurrentPacket } from '../packet-reader.ts';
import type { PacketWriter, WriteProblem, WrittenStatistics } from '../write/packet-writer.ts';

/** What is known of an interface besides the packets that are written. */
export type KnownStatistics = Partial<
  Pick<WrittenStatistics, 'received' | 'dropped' | 'droppedBySystem' | 'delivered' | 'comment'>
>;

/** The interfaces of a merged capture: those of the inputs, the same description once. */
export type WrittenInterfaces = {
  /** The number of the interface in the output. */
  readonly numberOf: (description: CaptureInterface) => number | WriteProblem;
  /** Counts a packet that was written. */
  readonly count: (interfaceNumber: number, packet: CurrentPacket) => void;
  readonly packets: () => number;
  /** The times of the first and the last packet of each interface, how many are written, and what else is known. */
  readonly statistics: (
    known: (description: CaptureInterface) => KnownStatistics,
  ) => readonly WrittenStatistics[];
};

/** Describes the interfaces to the writer as they appear. */
export function writtenInterfaces(writer: Pick<PacketWriter, 'addInterface'>): WrittenInterfaces {
  const numbers = new Map<string, number>();
  const totals: Total[] = [];

  return {
    numberOf(description) {
      const key = interfaceKey(description);
      const known = numbers.get(key);
      if (known !== undefined) return known;
      const number = writer.addInterface(description);
      if (typeof number !== 'number') return number;
      numbers.set(key, number);
      totals[number] = { description, packets: 0, first: undefined, lastHigh: 0, lastLow: 0 };
      return number;
    },
    count(interfaceNumber, { timeHigh, timeLow }) {
      const total = totals[interfaceNumber];
      if (!total) return;
      total.packets += 1;
      total.first ??= unitsOf(timeHigh, timeLow);
      if (timeHigh > total.lastHigh || (timeHigh === total.lastHigh && timeLow > total.lastLow)) {
        total.lastHigh = timeHigh;
        total.lastLow = timeLow;
      }
    },
    packets: () => totals.reduce((sum, { packets }) => sum + packets, 0),
    statistics: (known) =>
      totals.map(({ description, packets, first, lastHigh, lastLow }, interfaceNumber) => ({
        interfaceNumber,
        start: first,
        end: first === undefined ? undefined : unitsOf(lastHigh, lastLow),
        delivered: BigInt(packets),
        ...known(description),
      })),
  };
}

/** Of one interface. Changed for each packet, so that it costs no allocation. */
type Total = {
  readonly description: CaptureInterface;
  packets: number;
  /** The time of its first packet. */
  first: bigint | undefined;
  /** The latest time of a packet. */
  lastHigh: number;
  lastLow: number;
};

function unitsOf(high: number, low: number): bigint {
  return (BigInt(high) << 32n) | BigInt(low);
}

/** Equal descriptions have the same. */
export function interfaceKey({ offsetSeconds, ...rest }: CaptureInterface): string {
  return JSON.stringify({ offsetSeconds: offsetSeconds.toString(), ...rest });
}
