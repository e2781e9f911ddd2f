import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ack, fin, ipv4, ipv6, rst, syn, type TcpSegment, tcp } from '../testing/build-packets.ts';
import { packetOf } from '../testing/packet-of.ts';
import { EndPairs, type WaitingPacket } from './end-pairs.ts';
import { type PacketIdentity, packetIdentity } from './packet-identity.ts';

const windowSeconds = 0.5;

/** A segment of the side that is kept, or at a place of the other one: its IP ID, when it was captured, and its bytes. */
type Captured = {
  readonly at: 'kept' | number;
  readonly time?: number;
  readonly id?: number;
  readonly from: number;
  readonly data: string;
} & Partial<Pick<TcpSegment, 'flags' | 'acknowledgment'>>;

const text = Array.from({ length: 1_000 }, (_, at) => String.fromCharCode(97 + (at % 23))).join('');

test('TCP that the other side has in other segments is left out', () => {
  const [whole, first, second, third] = ['abcdef', 'ab', 'cd', 'ef'];
  const parts = (at: Captured['at'], time: number) => [
    { at, time, id: 2, from: 0, data: first },
    { at, time, id: 3, from: 2, data: second },
    { at, time, id: 4, from: 4, data: third },
  ];
  expect(leftOut([{ at: 'kept', time: 0, id: 1, from: 0, data: whole }, ...parts(1, 0.1)])).toEqual([
    1, 2, 3,
  ]);
  expect(leftOut([{ at: 1, time: 0, id: 1, from: 0, data: whole }, ...parts('kept', 0.1)])).toEqual([0]);
});

test('what the side that is kept has lost is kept of the other one', () => {
  fc.assert(
    fc.property(cuts, cuts, sequences, fc.func(fc.boolean()), (keptCuts, otherCuts, base, isLost) => {
      const kept = segments(keptCuts).filter(({ from }) => !isLost(from));
      const others = segments(otherCuts);
      const has = (at: number) => kept.some(({ from, data }) => from <= at && at < from + data.length);
      const isWhole = ({ from, data }: Cut) => Array.from(data).every((_, at) => has(from + at));
      const isAlike = (a: Cut) => kept.some((b) => a.from === b.from && a.data.length === b.data.length);
      const out = leftOut(
        [
          ...kept.map((each, id) => ({ ...each, at: 'kept' as const, id })),
          ...others.map((each, id) => ({ ...each, at: 1, id: 1_000 + id, time: 0.1 })),
        ],
        base,
      );
      // Cut alike and with another ID, it is another packet.
      const expected = others.flatMap((each, at) =>
        isWhole(each) && !isAlike(each) ? kept.length + at : [],
      );
      expect(out.filter((at) => !isAlike(others[at - kept.length] ?? { from: -1, data: '' }))).toEqual(
        expected,
      );
    }),
    { numRuns: 500 },
  );
});

test('for any segments at any times: each byte is left out at a place as often as the side that is kept has it near', () => {
  const captured = fc.record({
    at: fc.constantFrom('kept' as const, 1, 2),
    time: fc.constantFrom(0, 0.2, 0.4, 0.6, 1, 2),
    id: fc.constantFrom(1, 2),
    from: fc.integer({ min: 0, max: 6 }),
    data: fc.constantFrom('a', 'aa', 'aaa', 'aab', 'aaaa'),
  });
  fc.assert(
    fc.property(fc.array(captured, { maxLength: 14 }), sequences, (given, base) => {
      const ordered = given.toSorted((a, b) => a.time - b.time);
      const out = leftOut(ordered, base);
      for (const place of [1, 2])
        for (let at = 0; at < 10; at += 1) {
          const haveIt = (each: (typeof given)[number]) =>
            each.from <= at && at < each.from + each.data.length;
          const left = out.flatMap((index) => ordered[index] ?? []).filter((each) => each.at === place);
          for (const { time } of left.filter(haveIt)) {
            const near = ordered.filter(
              (each) => each.at === 'kept' && Math.abs(each.time - time) <= windowSeconds,
            );
            expect(near.filter(haveIt).length).toBeGreaterThan(0);
          }
          const kept = ordered.filter((each) => each.at === 'kept').filter(haveIt).length;
          expect(left.filter(haveIt).length).toBeLessThanOrEqual(kept);
        }
    }),
    { numRuns: 2_000 },
  );
});

test.each<[string, readonly Captured[], number[]]>([
  [
    'a minute later',
    [
      { at: 'kept', id: 1, from: 0, data: 'aaaa' },
      { at: 1, time: 60, id: 2, from: 0, data: 'aa' },
    ],
    [],
  ],
  [
    'whose twin comes later than what only the other side has',
    [
      { at: 1, time: 0.01, id: 1, from: 0, data: 'aaaa' },
      { at: 'kept', time: 0.3, id: 2, from: 0, data: 'aaaa' },
      { at: 1, time: 0.31, id: 2, from: 0, data: 'aaaa' },
    ],
    [2],
  ],
  [
    'that somebody has forged',
    [
      { at: 'kept', id: 1, from: 0, data: 'goodgood' },
      { at: 1, time: 0.005, id: 2, from: 0, data: 'evil' },
      { at: 1, time: 0.01, id: 1, from: 0, data: 'goodgood' },
    ],
    [2],
  ],
  [
    'that is cut alike and is no twin: it was sent again',
    [
      { at: 'kept', id: 1, from: 0, data: 'aaaa' },
      { at: 1, id: 2, from: 0, data: 'aaaa' },
    ],
    [],
  ],
  [
    'that has other bytes',
    [
      { at: 'kept', id: 1, from: 0, data: 'goodgood' },
      { at: 1, id: 2, from: 0, data: 'evil' },
    ],
    [],
  ],
  [
    'whose twin is used up by another one',
    [
      { at: 1, id: 1, from: 0, data: 'aa' },
      { at: 'kept', time: 0.4, id: 2, from: 0, data: 'aaaa' },
      { at: 1, time: 0.6, id: 2, from: 0, data: 'aaaa' },
    ],
    [0],
  ],
  [
    'with a FIN where the side that is kept has a byte',
    [
      { at: 'kept', id: 1, from: 0, data: 'aaaa' },
      { at: 1, id: 2, from: 0, data: 'aa', flags: fin | ack },
    ],
    [],
  ],
])('no packet is left out %s', (_which, captured, expected) => {
  expect(leftOut(captured)).toEqual(expected);
});

test('what is left of a segment is used later', () => {
  const given: Captured[] = [
    { at: 'kept', id: 1, from: 0, data: 'aaaa' },
    { at: 'kept', id: 2, from: 1, data: 'a' },
    { at: 1, id: 3, from: 1, data: 'a' },
    { at: 1, id: 4, from: 0, data: 'aaa' },
  ];
  expect(leftOut(given)).toEqual([2, 3]);
});

test('the FIN behind the last byte is left out with it', () => {
  const given: Captured[] = [
    { at: 'kept', id: 1, from: 0, data: 'aaaa', flags: fin | ack },
    { at: 1, id: 2, from: 0, data: 'aa' },
    { at: 1, id: 3, from: 2, data: 'aa', flags: fin | ack },
  ];
  expect(leftOut(given)).toEqual([1, 2]);
});

test.each([ack, syn, rst])(
  'without data that is of a stream, only the same packet is the same: flags %i',
  (flags) => {
    const data = flags === ack ? '' : 'a';
    const given: Captured[] = [
      { at: 'kept', from: 0, data, flags, acknowledgment: 1 },
      { at: 'kept', from: 0, data: 'aaaa' },
      { at: 1, from: 0, data, flags, acknowledgment: 2 },
      { at: 1, from: 0, data, flags, acknowledgment: 1 },
    ];
    expect(leftOut(given)).toEqual([3]);
  },
);

test.each([
  ['a length that the packet does not have', [0xea, 0x60], 2],
  ['a TCP header that is too short', [0x00], 20 + 12],
])('a packet with %s makes up no other', (_what, bytes, at) => {
  const forged = Buffer.from(bytesOf({ at: 'kept', from: 0, data: 'aaaa' }, 0));
  forged.set(bytes, at);
  const pairs = new EndPairs<WaitingPacket>(windowSeconds);
  pairs.addKept(identityOf(forged), 0);
  const other = { time: 0, place: 1, identity: identityOf(bytesOf({ at: 1, from: 4, data: '\0\0' }, 0)) };
  expect([pairs.addOther(other), pairs.release(other)]).toEqual([false, false]);
});

test('100,000 segments, many of them forged, take no more than seconds', () => {
  const pairs = new EndPairs<WaitingPacket>(windowSeconds);
  const count = 50_000;
  const others = Array.from({ length: count }, (_, at) => ({
    time: 0,
    place: at % 100,
    identity: identityOf(bytesOf({ at: 1, id: 2, from: at % 2 === 0 ? at : -at * 40_000, data: 'aa' }, 0)),
  }));
  const kept = others.map((_, at) =>
    identityOf(bytesOf({ at: 'kept', id: 1, from: at % 3 === 0 ? at * 50_000 : at, data: 'a' }, 0)),
  );
  for (const other of others) pairs.addOther(other);
  for (const identity of kept) pairs.addKept(identity, 0);
  let left = 0;
  for (const other of others) if (pairs.release(other)) left += 1;
  expect(left).toBeGreaterThan(0);
}, 30_000);

/** A part of the text. */
type Cut = { readonly from: number; readonly data: string };

const cuts = fc.uniqueArray(fc.integer({ min: 1, max: text.length - 1 }), { maxLength: 12 });

/** Also where sequence numbers wrap around. */
const sequences = fc.oneof(
  fc.integer({ min: 0, max: 0xffff_ffff }),
  fc.integer({ min: 0xffff_ffff - text.length, max: 0xffff_ffff }),
);

/** The text, cut there. */
function segments(at: readonly number[]): readonly Cut[] {
  const bounds = [0, ...at.toSorted((a, b) => a - b), text.length];
  return bounds.slice(1).map((to, index) => {
    const from = bounds[index] ?? 0;
    return { from, data: text.slice(from, to) };
  });
}

/** The indices of those that are left out, in the order of time, as a merge asks for them. */
function leftOut(given: readonly Captured[], base = 1_000): readonly number[] {
  const pairs = new EndPairs<WaitingPacket & { readonly index: number }>(windowSeconds);
  const out: number[] = [];
  const waiting: (WaitingPacket & { readonly index: number })[] = [];
  const release = (before: number) => {
    for (let first = waiting[0]; first && first.time < before; first = waiting[0]) {
      waiting.shift();
      if (!out.includes(first.index) && pairs.release(first)) out.push(first.index);
    }
  };
  for (const [index, captured] of given.entries()) {
    const { at, time = 0 } = captured;
    pairs.forgetBefore(Math.min(time, waiting[0]?.time ?? Infinity));
    release(time - windowSeconds);
    const identity = identityOf(bytesOf(captured, base));
    if (at === 'kept') out.push(...pairs.addKept(identity, time).map((twin) => twin.index));
    else {
      const other = { time, place: at, identity, index };
      if (pairs.addOther(other)) out.push(index);
      else waiting.push(other);
    }
  }
  release(Infinity);
  return out.toSorted((a, b) => a - b);
}

function bytesOf(
  { id = 0, from, data, flags = ack, acknowledgment = 0 }: Captured,
  base: number,
): Uint8Array {
  const sequence = (base + from) >>> 0;
  const payload = Buffer.from(data);
  const packet = ipv4({
    protocol: 6,
    payload: tcp({ from: 40_000, to: 80, flags, sequence, acknowledgment, payload }),
  });
  packet.set([id >> 8, id & 0xff], 4);
  return packet;
}

function identityOf(ip: Uint8Array): PacketIdentity {
  const data = Buffer.from(ip).toString('latin1');
  const identity = packetIdentity(packetOf({ time: 0n, original: data.length, data }), 101);
  if (!identity) throw new Error('no IP packet');
  return identity;
}

test('IPv6 is the same', () => {
  const pairs = new EndPairs<WaitingPacket>(windowSeconds);
  const of = (data: string) =>
    identityOf(ipv6(6, tcp({ from: 1, to: 2, flags: ack, payload: Buffer.from(data) })));
  pairs.addKept(of('abcd'), 0);
  const other = { time: 0, place: 1, identity: of('ab') };
  expect([pairs.addOther(other), pairs.release(other)]).toEqual([false, true]);
});
