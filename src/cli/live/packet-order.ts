import { Fifo } from '../../pcap/merge/fifo.ts';
import { heldBytes, type LivePacket } from './live-packet.ts';

/**
 * Puts the packets of several taps in the order of their times. A packet waits a short time for earlier ones of other taps,
 * and never longer: what comes later than that keeps its time, and is out of order. Those of one tap stay in their order.
 */
export type PacketOrder = {
  /** False if there is no more space: the packet is not taken. */
  readonly add: (packet: LivePacket, nowMs: number) => boolean;
  /** The next packet that has waited long enough, with those before it. */
  readonly take: (nowMs: number) => LivePacket | undefined;
  /** When the next packet may be taken; undefined if there is none. */
  readonly dueMs: () => number | undefined;
  /** The tap has ended: nothing is kept of it once its packets are taken. */
  readonly end: (pod: string) => void;
  /** Those that have ended, and of which all packets are taken: each once. */
  readonly takeDrained: () => readonly string[];
};

export type PacketOrderOptions = {
  /** How long a packet waits at this moment: not at all while there is one tap. */
  readonly waitMs: () => number;
  readonly mostBytes: number;
};

type Waiting = {
  readonly packet: LivePacket;
  readonly seconds: number;
  readonly nanoseconds: number;
  readonly number: number;
  readonly arrivedMs: number;
  isTaken: boolean;
};

/** A tap. */
type Source = {
  seconds: number;
  nanoseconds: number;
  /** Packets that wait. */
  waiting: number;
  hasEnded: boolean;
};

type Time = Pick<Waiting, 'seconds' | 'nanoseconds'>;

export function packetOrder({ waitMs, mostBytes }: PacketOrderOptions): PacketOrder {
  const heap: Waiting[] = [];
  const arrivals = new Fifo<Waiting>();
  /** Of each tap, the latest time so far, and how many of its packets wait. */
  const sources = new Map<string, Source>();
  let drained: string[] = [];
  let bytes = 0;
  let number = 0;

  function oldest(): Waiting | undefined {
    while (arrivals.first?.isTaken === true) arrivals.shift();
    return arrivals.first;
  }

  function dueMs(): number | undefined {
    const first = oldest();
    return first && first.arrivedMs + waitMs();
  }

  function dropIfDrained(pod: string, { waiting, hasEnded }: Source): void {
    if (!hasEnded || waiting > 0) return;
    sources.delete(pod);
    drained.push(pod);
  }

  return {
    add(packet, nowMs) {
      if (bytes + heldBytes(packet) > mostBytes) return false;
      bytes += heldBytes(packet);
      const source = sources.get(packet.pod);
      const { seconds, nanoseconds } = laterOf(packet.packet, source);
      const waits = (source?.waiting ?? 0) + 1;
      sources.set(packet.pod, { seconds, nanoseconds, waiting: waits, hasEnded: false });
      const waiting = { packet, seconds, nanoseconds, number, arrivedMs: nowMs, isTaken: false };
      number += 1;
      arrivals.push(waiting);
      push(heap, waiting);
      return true;
    },
    take(nowMs) {
      const due = dueMs();
      if (due === undefined || due > nowMs) return undefined;
      const next = pop(heap);
      if (!next) return undefined;
      next.isTaken = true;
      bytes -= heldBytes(next.packet);
      const source = sources.get(next.packet.pod);
      if (source) {
        source.waiting -= 1;
        dropIfDrained(next.packet.pod, source);
      }
      return next.packet;
    },
    dueMs,
    end(pod) {
      const source = sources.get(pod) ?? { seconds: 0, nanoseconds: 0, waiting: 0, hasEnded: true };
      source.hasEnded = true;
      dropIfDrained(pod, source);
    },
    takeDrained() {
      if (drained.length === 0) return drained;
      const some = drained;
      drained = [];
      return some;
    },
  };
}

function laterOf(a: Time, b: Time | undefined): Time {
  return b && isEarlier(a, b) ? b : a;
}

function isEarlier(a: Time, b: Time): boolean {
  return a.seconds === b.seconds ? a.nanoseconds < b.nanoseconds : a.seconds < b.seconds;
}

function isBefore(a: Waiting, b: Waiting): boolean {
  if (isEarlier(a, b)) return true;
  return !isEarlier(b, a) && a.number < b.number;
}

function push(heap: Waiting[], added: Waiting): void {
  let at = heap.length;
  heap.push(added);
  while (at > 0) {
    const parentAt = (at - 1) >> 1;
    const parent = heap[parentAt];
    if (!parent || !isBefore(added, parent)) break;
    heap[at] = parent;
    at = parentAt;
  }
  heap[at] = added;
}

function pop(heap: Waiting[]): Waiting | undefined {
  const top = heap[0];
  const last = heap.pop();
  if (!last || heap.length === 0) return top;
  let at = 0;
  for (;;) {
    const childAt = earlierChild(heap, at);
    const child = heap[childAt];
    if (!child || !isBefore(child, last)) break;
    heap[at] = child;
    at = childAt;
  }
  heap[at] = last;
  return top;
}

function earlierChild(heap: readonly Waiting[], at: number): number {
  const [leftAt, rightAt] = [2 * at + 1, 2 * at + 2];
  const [left, right] = [heap[leftAt], heap[rightAt]];
  return left && right && isBefore(right, left) ? rightAt : leftAt;
}
