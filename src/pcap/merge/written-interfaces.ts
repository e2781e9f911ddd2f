import type { CaptureInterface } from '../capture-interface.ts';
import type { CurrentPacket } from '../packet-reader.ts';
import type { PacketWriter, WriteProblem, WrittenStatistics } from '../packet-writer.ts';

/** What the readers of an interface's packets say that its capture counted; undefined where none of them says it. */
export type CountedPackets = { readonly received: number | undefined; readonly dropped: number | undefined };

/** The interfaces of a merged capture: those of the inputs, the same description once. */
export type WrittenInterfaces = {
  /** The number of the interface in the output. */
  readonly numberOf: (description: CaptureInterface) => number | WriteProblem;
  /** Counts a packet that was written. */
  readonly count: (interfaceNumber: number, packet: CurrentPacket) => void;
  /** Adds what an input says that its interface counted. */
  readonly addCounted: (description: CaptureInterface, counted: CountedPackets) => void;
  /** How many packets are written, the times of the first and the last one, and what was counted, for each interface. */
  readonly statistics: () => readonly WrittenStatistics[];
};

/** Describes the interfaces to the writer as they appear. */
export function writtenInterfaces(writer: Pick<PacketWriter, 'addInterface'>): WrittenInterfaces {
  const numbers = new Map<string, number>();
  const totals: Total[] = [];

  return {
    numberOf(description) {
      const key = keyOf(description);
      const known = numbers.get(key);
      if (known !== undefined) return known;
      const number = writer.addInterface(description);
      if (typeof number !== 'number') return number;
      numbers.set(key, number);
      totals[number] = { packets: 0, first: undefined, lastHigh: 0, lastLow: 0, counted: undefined };
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
    addCounted(description, counted) {
      const total = totals[numbers.get(keyOf(description)) ?? -1];
      if (total) total.counted = total.counted ? sumOf(total.counted, counted) : counted;
    },
    statistics: () =>
      totals.map(({ packets, first, lastHigh, lastLow, counted }, interfaceNumber) => ({
        interfaceNumber,
        start: first,
        end: first === undefined ? undefined : unitsOf(lastHigh, lastLow),
        received: counted?.received === undefined ? undefined : BigInt(counted.received),
        dropped: counted?.dropped === undefined ? undefined : BigInt(counted.dropped),
        delivered: BigInt(packets),
      })),
  };
}

/** Of one interface. Changed for each packet, so that it costs no allocation. */
type Total = {
  packets: number;
  /** The time of its first packet. */
  first: bigint | undefined;
  /** The latest time of a packet. */
  lastHigh: number;
  lastLow: number;
  counted: CountedPackets | undefined;
};

function sumOf(a: CountedPackets, b: CountedPackets): CountedPackets {
  const add = (one: number | undefined, other: number | undefined) =>
    one === undefined || other === undefined ? undefined : one + other;
  return { received: add(a.received, b.received), dropped: add(a.dropped, b.dropped) };
}

function unitsOf(high: number, low: number): bigint {
  return (BigInt(high) << 32n) | BigInt(low);
}

function keyOf({ offsetSeconds, ...rest }: CaptureInterface): string {
  return JSON.stringify({ offsetSeconds: offsetSeconds.toString(), ...rest });
}
