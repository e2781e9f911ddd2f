import fc from 'fast-check';
import * as v from 'valibot';
import { expect, test } from 'vitest';
import { parseCountersLine } from './counters-line.ts';
import { countersLineSchema } from './protocol.ts';

const counters = {
  files: 3,
  bytes: 2_500_000,
  packets: 1_234,
  dropped: 0,
  lostAtStop: 1,
  missed: 2,
  unseen: 3,
  isUnseenPartial: true,
  firstPacketTime: '2026-11-30T12:00:00.123456Z',
  lastPacketTime: '2026-11-30T12:00:05+01:00',
};

test('a line of counters is read as it is', () => {
  const line = { uid: '0f8fad5b-d9cb-469f-a165-70867728950e', counters };
  expect(parseCountersLine(JSON.stringify(line))).toEqual(line);
});

test('reads whatever an agent sends as the schema does', () => {
  const strange = fc.oneof(
    fc.jsonValue(),
    fc.constantFrom(
      -0,
      -1,
      0.5,
      2 ** 53,
      1e300,
      true,
      false,
      null,
      '',
      [],
      {},
      'x'.repeat(41),
      'x'.repeat(65),
    ),
    fc.constantFrom('2026-11-30', '2026-13-30T12:00:00Z', '2026-11-30 12:00:00Z', counters.lastPacketTime),
    fc.nat(),
  );
  const field = (usual: unknown) =>
    fc.option(fc.oneof({ weight: 12, arbitrary: fc.constant(usual) }, strange), { nil: undefined, freq: 8 });
  const line = fc.record({
    uid: field('uid-of-web'),
    counters: fc.oneof({ weight: 12, arbitrary: fc.record(Object.fromEntries(fieldsOf(field))) }, strange),
    later: field(1),
  });
  const read = { lines: 0 };
  fc.assert(
    fc.property(fc.oneof({ weight: 12, arbitrary: line }, strange), (value) => {
      const text = JSON.stringify(value);
      const expected = v.safeParse(countersLineSchema, JSON.parse(text));
      expect(parseCountersLine(text)).toStrictEqual(expected.success ? expected.output : undefined);
      read.lines += Number(expected.success);
    }),
    { numRuns: 5_000 },
  );
  // Both kinds are among them.
  expect(read.lines).toBeGreaterThan(100);
  expect(read.lines).toBeLessThan(4_900);
});

test.each(['', '{', 'null', '1', '[]', '{"uid":"a"}'])('%j is no line of counters', (line) => {
  expect(parseCountersLine(line)).toBeUndefined();
});

function fieldsOf(field: (usual: unknown) => fc.Arbitrary<unknown>): [string, fc.Arbitrary<unknown>][] {
  return Object.entries({ ...counters, later: 1 }).map(([key, usual]) => [key, field(usual)]);
}
