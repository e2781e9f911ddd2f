import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { plainInterface } from '../../pcap/testing/capture-bytes.ts';
import { packetOf } from '../../pcap/testing/packet-of.ts';
import type { LivePacket } from './live-packet.ts';
import { type PacketOrder, packetOrder } from './packet-order.ts';

function livePacket(pod: string, seconds: number, data = ''): LivePacket {
  const packet = packetOf({ time: 0n, original: 0, data, seconds });
  return { pod, packet, description: plainInterface, missingBefore: 0 };
}

function taken(order: PacketOrder, nowMs: number): readonly number[] {
  const seconds: number[] = [];
  for (let next = order.take(nowMs); next; next = order.take(nowMs)) seconds.push(next.packet.seconds);
  return seconds;
}

test('a packet waits for earlier ones of other taps, and no longer', () => {
  const order = packetOrder({ waitMs: () => 50, mostBytes: 1e6 });
  order.add(livePacket('web', 12), 0);
  order.add(livePacket('db', 11), 30);
  expect(order.dueMs()).toBe(50);
  expect(taken(order, 49)).toEqual([]);
  expect(taken(order, 50)).toEqual([11, 12]);
  order.add(livePacket('db', 10), 60);
  expect(taken(order, 110)).toEqual([10]);
  expect(order.dueMs()).toBeUndefined();
});

test('earlier packets that keep coming do not keep one from being taken', () => {
  const order = packetOrder({ waitMs: () => 50, mostBytes: 1e6 });
  order.add(livePacket('web', 100), 0);
  for (let at = 1; at < 50; at += 1) order.add(livePacket('db', at), at);
  expect(taken(order, 50).at(-1)).toBe(100);
});

test('the packets of one tap keep their order, even where its clock was set back', () => {
  const order = packetOrder({ waitMs: () => 0, mostBytes: 1e6 });
  for (const seconds of [20, 10, 21]) order.add(livePacket('web', seconds), 0);
  order.add(livePacket('db', 15), 0);
  expect(taken(order, 0)).toEqual([15, 20, 10, 21]);
});

test('there is no space for more than the bound', () => {
  const order = packetOrder({ waitMs: () => 0, mostBytes: 2_000 });
  expect([1, 2, 3].map((seconds) => order.add(livePacket('web', seconds, 'x'.repeat(500)), 0))).toEqual([
    true,
    true,
    false,
  ]);
  expect(taken(order, 0)).toEqual([1, 2]);
  expect(order.add(livePacket('web', 3), 0)).toBe(true);
});

test('a tap that has ended is told of once its packets are taken, and is forgotten', () => {
  const order = packetOrder({ waitMs: () => 0, mostBytes: 1e6 });
  order.add(livePacket('web', 20), 0);
  order.add(livePacket('web', 21), 0);
  order.end('web');
  order.end('idle');
  expect(order.takeDrained()).toEqual(['idle']);
  order.take(0);
  expect(order.takeDrained()).toEqual([]);
  order.take(0);
  expect(order.takeDrained()).toEqual(['web']);
  expect(order.takeDrained()).toEqual([]);
  // It is not held to its earlier times.
  order.add(livePacket('web', 1), 0);
  order.add(livePacket('db', 10), 0);
  expect(taken(order, 0)).toEqual([1, 10]);
});

test('a tap that is opened again before its packets are taken has not ended', () => {
  const order = packetOrder({ waitMs: () => 0, mostBytes: 1e6 });
  order.add(livePacket('web', 20), 0);
  order.end('web');
  order.add(livePacket('web', 21), 0);
  expect(taken(order, 0)).toEqual([20, 21]);
  expect(order.takeDrained()).toEqual([]);
});

test('whatever comes, all of it is taken, in order where it came in time', () => {
  const arrivals = fc.array(
    fc.record({ pod: fc.constantFrom('a', 'b', 'c'), seconds: fc.nat(30), afterMs: fc.nat(20) }),
  );
  fc.assert(
    fc.property(arrivals, (all) => {
      const order = packetOrder({ waitMs: () => 1_000, mostBytes: 1e9 });
      let nowMs = 0;
      for (const { pod, seconds, afterMs } of all) {
        nowMs += afterMs;
        order.add(livePacket(pod, seconds), nowMs);
      }
      const seconds = taken(order, Infinity);
      expect(seconds.toSorted((a, b) => a - b)).toEqual(
        all.map((each) => each.seconds).toSorted((a, b) => a - b),
      );
    }),
  );
});
