import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { CurrentPacket } from '../packet-reader.ts';
import { ack, ipv4, tcp } from '../testing/build-packets.ts';
import { plainInterface } from '../testing/capture-bytes.ts';
import { packetOf } from '../testing/packet-of.ts';
import { OneSidedPackets, type SidedPacket } from './one-sided-packets.ts';
import { packetIdentity } from './packet-identity.ts';

/** A packet: when it comes, after the one before it; of which side it is, and its content. */
type Made = { readonly afterMs: number; readonly kind: SidedPacket['kind']; readonly content: string };

const made: fc.Arbitrary<Made> = fc.record({
  afterMs: fc.constantFrom(-100, 0, 1, 300, 501),
  kind: fc.constantFrom('kept', 'other', 'alone'),
  content: fc.constantFrom('a', 'b'),
});

test('for any packets: all come, in their order, and at most one copy of each that is kept is a duplicate', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(made, { maxLength: 30 }), fc.boolean(), async (given, isWaited) => {
      const came = await through(given, isWaited);
      expect(came.map(({ position }) => position)).toEqual([...given.keys()]);
      const duplicates = came.flatMap(({ isDuplicate, position }) =>
        isDuplicate ? (given[position] ?? []) : [],
      );
      expect(duplicates.filter(({ kind }) => kind !== 'other')).toEqual([]);
      for (const content of ['a', 'b']) {
        const isOf = (each: Made) => each.content === content;
        const kept = given.filter(({ kind }) => kind === 'kept').filter(isOf);
        expect(duplicates.filter(isOf).length).toBeLessThanOrEqual(kept.length);
      }
    }),
    { numRuns: 2_000 },
  );
});

test.each([
  ['500 ms before', 'other', 500, true],
  ['501 ms before', 'other', 501, false],
  ['500 ms after', 'kept', 500, true],
  ['501 ms after', 'kept', 501, false],
] as const)('a copy that was captured %s the kept one', async (_when, kind, afterMs, isDuplicate) => {
  const second = kind === 'kept' ? 'other' : 'kept';
  const came = await through([
    { afterMs: 0, kind, content: 'a' },
    { afterMs, kind: second, content: 'a' },
  ]);
  expect(came.some((each) => each.isDuplicate)).toBe(isDuplicate);
});

test('more than 32 MiB do not wait', async () => {
  const many = Array.from({ length: 70_000 }, (): Made => ({ afterMs: 0, kind: 'other', content: 'a' }));
  const came = await through([...many, { afterMs: 0, kind: 'kept', content: 'a' }]);
  expect(came[0]?.isDuplicate).toBe(false);
  expect(came.filter(({ isDuplicate }) => isDuplicate)).toHaveLength(1);
});

type Came = { readonly position: number; readonly isDuplicate: boolean };

async function through(given: readonly Made[], isWaited = false): Promise<Came[]> {
  let at = -1;
  let nowMs = 10_000;
  const current = packetOf({ time: 0n, original: 1, data: 'x' });
  const oneSided = new OneSidedPackets(
    {
      next() {
        at += 1;
        nowMs += given[at]?.afterMs ?? 0;
        current.seconds = Math.floor(nowMs / 1_000);
        current.nanoseconds = (nowMs % 1_000) * 1_000_000;
        current.originalBytes = at;
        const more = at < given.length;
        return isWaited ? Promise.resolve(more) : more;
      },
      input: 0,
      reader: { packet: current, interfaces: [plainInterface] },
    },
    () => {
      const { kind = 'alone', content = '' } = given[at] ?? {};
      if (kind === 'alone') return { kind };
      return { kind, place: 1, identity: { start: content, rest: '', fragment: undefined, part: undefined } };
    },
  );
  const came: Came[] = [];
  while (await oneSided.next())
    came.push({ position: oneSided.reader.packet.originalBytes, isDuplicate: oneSided.isDuplicate });
  return came;
}

test.each([0.2, 2, 60])(
  'what was cut into other segments is left out, also if the next packet comes %f s later',
  async (seconds) => {
    const kept = segmentAt('kept', 0, 'aabb');
    const others = [segmentAt('other', 0.001, 'aa'), segmentAt('other', 0.001, 'bb', 2)];
    const later = segmentAt('alone', seconds, 'x');
    expect(await duplicatesOf([kept, ...others, later])).toEqual([false, true, true, false]);
    // The side that is left out can come first.
    const behind = { ...kept, time: 0.15 };
    expect(await duplicatesOf([...others, behind, later])).toEqual([true, true, false, false]);
  },
);

type TimedSegment = {
  readonly kind: SidedPacket['kind'];
  readonly time: number;
  readonly packet: CurrentPacket;
};

function segmentAt(kind: SidedPacket['kind'], time: number, text: string, sequence = 0): TimedSegment {
  const segment = { from: 1, to: 2, flags: ack, sequence, payload: Buffer.from(text) };
  const data = Buffer.from(ipv4({ protocol: 6, payload: tcp(segment) })).toString('latin1');
  return { kind, time, packet: packetOf({ time: 0n, original: data.length, data }) };
}

/** Whether each packet, in the order in which they come, is a duplicate. */
async function duplicatesOf(given: readonly TimedSegment[]): Promise<boolean[]> {
  let at = -1;
  const current = packetOf({ time: 0n, original: 1, data: 'x' });
  const oneSided = new OneSidedPackets(
    {
      next() {
        at += 1;
        const next = given[at];
        if (!next) return false;
        const seconds = Math.floor(next.time);
        Object.assign(current, next.packet, {
          seconds,
          nanoseconds: Math.round((next.time - seconds) * 1e9),
        });
        return true;
      },
      input: 0,
      reader: { packet: current, interfaces: [plainInterface] },
    },
    (packet) => {
      const { kind = 'alone' } = given[at] ?? {};
      const identity = packetIdentity(packet, 101);
      return kind === 'alone' || !identity ? { kind: 'alone' } : { kind, place: 1, identity };
    },
  );
  const found: boolean[] = [];
  while (await oneSided.next()) found.push(oneSided.isDuplicate);
  return found;
}
