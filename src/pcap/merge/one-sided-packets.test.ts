import fc from 'fast-check';
import { expect, test } from 'vitest';
import { plainInterface } from '../testing/capture-bytes.ts';
import { packetOf } from '../testing/packet-of.ts';
import { OneSidedPackets, type SidedPacket } from './one-sided-packets.ts';

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
