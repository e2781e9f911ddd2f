import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ack, fin, ipv4, ipv6, syn, tcp } from '../testing/build-packets.ts';
import { packetOf } from '../testing/packet-of.ts';
import { endPairs, type WaitingPacket } from './end-pairs.ts';
import { packetIdentity } from './packet-identity.ts';

/** A segment with the bytes of a stream from `from` up to `to`. */
type Segment = { readonly from: number; readonly to: number };

const streamBytes = 1_000;
const stream = Uint8Array.from({ length: streamBytes }, (_, at) => at % 251);

/** The stream, cut anywhere. */
const segments: fc.Arbitrary<readonly Segment[]> = fc
  .uniqueArray(fc.integer({ min: 1, max: streamBytes - 1 }), { maxLength: 12 })
  .map((cuts) => {
    const bounds = [0, ...cuts.toSorted((a, b) => a - b), streamBytes];
    return bounds.slice(1).map((to, at) => ({ from: bounds[at] ?? 0, to }));
  });

/** Also where sequence numbers wrap around. */
const initialSequence = fc.oneof(
  fc.integer({ min: 0, max: 0xffff_ffff }),
  fc.integer({ min: 0xffff_ffff - streamBytes, max: 0xffff_ffff }),
);

/** What comes next: the next segment of the side that is kept, or of the other one. */
const order = fc.infiniteStream(fc.boolean());

type Scene = {
  readonly kept: readonly Segment[];
  readonly others: readonly Segment[];
  readonly sequence: number;
  readonly isKeptNext: Iterator<boolean>;
};

test('TCP that both ends have in other segments is written once, but for what the side that is kept has lost', () => {
  fc.assert(
    fc.property(
      segments,
      segments,
      initialSequence,
      order,
      fc.func(fc.boolean()),
      (kept, others, sequence, isKeptNext, isLost) => {
        const left = kept.filter(({ from }) => !isLost(from));
        const has = (at: number) => left.some(({ from, to }) => from <= at && at < to);
        const whole = others.filter(({ from, to }) =>
          Array.from({ length: to - from }, (_, i) => from + i).every(has),
        );
        expect(leftOut({ kept: left, others, sequence, isKeptNext })).toEqual(whole);
      },
    ),
    { numRuns: 500 },
  );
});

test('what the other side sent twice, and the side that is kept has once, is left out once at most', () => {
  fc.assert(
    fc.property(
      segments,
      segments,
      segments,
      initialSequence,
      order,
      (kept, first, second, sequence, isKeptNext) => {
        const out = leftOut({ kept, others: [...first, ...second], sequence, isKeptNext });
        const times = new Uint8Array(streamBytes);
        for (const { from, to } of out)
          for (let at = from; at < to; at += 1) times[at] = (times[at] ?? 0) + 1;
        expect(Math.max(...times)).toBeLessThanOrEqual(1);
      },
    ),
    { numRuns: 500 },
  );
});

test('what both sides have twice is left out twice', () => {
  const twice = fc.tuple(segments, segments).map((both) => both.flat());
  fc.assert(
    fc.property(twice, twice, initialSequence, order, (kept, others, sequence, isKeptNext) => {
      expect(leftOut({ kept, others, sequence, isKeptNext })).toHaveLength(others.length);
    }),
    { numRuns: 500 },
  );
});

test.each([
  ['a SYN whose options were changed on the way', { flags: syn, options: [2, 4, 5, 180] }],
  ['a FIN', { flags: fin | ack, payload: stream.subarray(0, 5) }],
])('%s is left out', (_what, segment) => {
  const pairs = endPairs<WaitingPacket>();
  const identity = identityOf(ipv4({ protocol: 6, payload: tcp({ from: 1, to: 2, ...segment }) }));
  const start = identityOf(
    ipv4({ protocol: 6, payload: tcp({ from: 1, to: 2, ...segment, options: [1, 1, 1, 1] }) }),
  );
  expect(start).not.toEqual(identity);
  pairs.addKept(start, { time: 0, since: 0 });
  expect(pairs.addOther({ time: 0, place: 1, identity })).toBe(true);
});

test('an acknowledgment without data, and a reset, are only the same if they are alike', () => {
  for (const flags of [ack, 4]) {
    const pairs = endPairs<WaitingPacket>();
    const of = (acknowledgment: number) =>
      identityOf(
        ipv6(6, tcp({ from: 1, to: 2, flags, acknowledgment, payload: stream.subarray(0, flags & 4) })),
      );
    pairs.addKept(of(1), { time: 0, since: 0 });
    expect(pairs.addOther({ time: 0, place: 1, identity: of(2) })).toBe(false);
    expect(pairs.addOther({ time: 0, place: 1, identity: of(1) })).toBe(true);
  }
});

test('a new connection of the same ports begins again', () => {
  const pairs = endPairs<WaitingPacket>();
  const of = (sequence: number, flags: number, length: number) =>
    identityOf(ipv6(6, tcp({ from: 1, to: 2, flags, sequence, payload: stream.subarray(0, length) })));
  const times = { time: 0, since: 0 };
  pairs.addKept(of(1_000, ack, 500), times);
  pairs.addKept(of(1_200, syn, 0), times);
  // Of the old one, up to 1,500; the side that is kept has not got it in the new one.
  pairs.addKept(of(5_000, syn, 0), times);
  expect(pairs.addOther({ time: 0, place: 1, identity: of(1_300, ack, 100) })).toBe(false);
});

/** Which segments of the other side are left out, in the order of the stream. */
function leftOut({ kept, others, sequence, isKeptNext }: Scene): readonly Segment[] {
  const pairs = endPairs<WaitingPacket & { readonly segment: Segment }>();
  const out: Segment[] = [];
  const keptLeft = [...kept];
  const othersLeft = [...others];
  while (keptLeft.length + othersLeft.length > 0) {
    const isKept = keptLeft.length > 0 && (othersLeft.length === 0 || isKeptNext.next().value === true);
    const segment = (isKept ? keptLeft : othersLeft).shift();
    if (!segment) break;
    const payload = stream.subarray(segment.from, segment.to);
    const identity = identityOf(
      ipv4({
        protocol: 6,
        payload: tcp({
          from: 40_000,
          to: 80,
          flags: ack,
          sequence: (sequence + segment.from) >>> 0,
          payload,
        }),
      }),
    );
    if (isKept) out.push(...pairs.addKept(identity, { time: 0, since: 0 }).map((partner) => partner.segment));
    else if (pairs.addOther({ time: 0, place: 1, identity, segment })) out.push(segment);
  }
  return out.toSorted((a, b) => a.from - b.from);
}

function identityOf(ip: Uint8Array) {
  const data = Buffer.from(ip).toString('latin1');
  const identity = packetIdentity(packetOf({ time: 0n, original: data.length, data }), 101);
  if (!identity) throw new Error('no IP packet');
  return identity;
}
