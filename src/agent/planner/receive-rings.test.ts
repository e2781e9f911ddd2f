import { describe, expect, test } from 'vitest';
import {
  type ReceiveRing,
  type ReceiveRingLimits,
  receiveRingSizes,
  reservedRingBytes,
  ringKib,
  silentMs,
} from './receive-rings.ts';

const mib = 1_024;
const { smallest, start, large, largest } = ringKib;
const plenty: ReceiveRingLimits = { budgetBytes: 2 ** 30, maxRings: 250, fixedKib: undefined };
const nowMs = 1_000_000;

/** A busy capture with a ring of 4 MiB. */
function ring(key: string, more: Partial<ReceiveRing> = {}): ReceiveRing {
  return { key, kib: start, replacedKib: 0, isReplaced: false, silentSinceMs: nowMs, isFull: false, ...more };
}

/** Rings that are named 0, 1, ... */
function many(count: number, more: Partial<ReceiveRing> = {}): ReceiveRing[] {
  return Array.from({ length: count }, (_, i) => ring(`${i}`, more));
}

function sizes(rings: readonly ReceiveRing[], limits: Partial<ReceiveRingLimits> = {}): number[] {
  return [...receiveRingSizes(rings, { ...plenty, ...limits }, nowMs).kib.values()];
}

const notStarted = { kib: undefined, silentSinceMs: undefined } as const;
const silent = { silentSinceMs: nowMs - silentMs } as const;
/** 100 MiB in large rings of busy captures. */
const hundredMib = many(6, { kib: large }).concat(ring('small', { kib: start }));

describe('a capture that starts', () => {
  test.each<[string, readonly ReceiveRing[], number]>([
    ['has 4 MiB on an idle Node', [], start],
    ['has 4 MiB as the 25th', many(24), start],
    ['has 1 MiB as the 26th', many(25), smallest],
    ['has 1 MiB where other rings take 100 MiB', hundredMib, smallest],
    ['has 4 MiB just below', many(99, { kib: smallest }), start],
  ])('%s', (_what, others, expected) => {
    expect(sizes([...others, ring('new', notStarted)]).at(-1)).toBe(expected);
  });

  test('has 4 MiB as long as there is plenty, when a hundred start at once', () => {
    expect(sizes(many(100, notStarted))).toEqual([
      ...Array.from({ length: 25 }, () => start),
      ...Array.from({ length: 75 }, () => smallest),
    ]);
  });

  test('has 1 MiB where 4 would take what other captures have reserved', () => {
    expect(sizes([ring('a', notStarted)], { budgetBytes: 100 * 2 * 2 ** 20, maxRings: 100 })).toEqual([
      smallest,
    ]);
    expect(sizes([ring('a', notStarted)], { budgetBytes: 100 * 2 * 2 ** 20, maxRings: 98 })).toEqual([start]);
  });
});

describe('a capture whose ring was full', () => {
  test.each<[string, ReceiveRing, number]>([
    ['goes from 1 straight to 16 MiB', ring('a', { kib: smallest, isFull: true }), large],
    ['goes from 4 straight to 16 MiB', ring('a', { isFull: true }), large],
    ['goes from 16 to 32 MiB', ring('a', { kib: large, isFull: true }), largest],
    ['stays at 32 MiB', ring('a', { kib: largest, isFull: true }), largest],
    ['waits while another tcpdump is being replaced', ring('a', { isFull: true, replacedKib: start }), start],
    ['waits until it listens', ring('a', { isFull: true, silentSinceMs: undefined }), start],
    ['stays if it has been silent since', ring('a', { isFull: true, ...silent }), start],
    ['grows when its filter changes, too', ring('a', { isFull: true, isReplaced: true }), large],
  ])('%s', (_what, each, expected) => {
    expect(sizes([each])).toEqual([expected]);
  });

  test('stays at 16 MiB where the budget has no room for 32 as well', () => {
    const limits = (mebibytes: number) => ({ budgetBytes: mebibytes * 2 ** 20, maxRings: 1 });
    expect(sizes([ring('a', { kib: large, isFull: true })], limits(48))).toEqual([largest]);
    expect(sizes([ring('a', { kib: large, isFull: true })], limits(47))).toEqual([large]);
  });

  test('grows as far as the budget allows, the first captures first', () => {
    // Each takes 12 MiB more, and its old ring until it has ended.
    const limits = { budgetBytes: (3 * (4 + 1) + 2 * 15 + 14) * 2 ** 20, maxRings: 3 };
    expect(sizes(many(3, { isFull: true }), limits)).toEqual([large, large, start]);
  });
});

describe('a capture that has been silent for five minutes', () => {
  test('stays while all rings take 100 MiB', () => {
    expect(sizes(many(25, silent))).toEqual(Array.from({ length: 25 }, () => start));
  });

  test('goes to 1 MiB while they take more, and no more captures than needed', () => {
    const rings = [ring('busy', { kib: large }), ...many(25, silent)];
    // 116 MiB: six times three less is 98.
    expect(sizes(rings).filter((kib) => kib === smallest)).toHaveLength(6);
  });

  test('goes to 1 MiB from 16 as well', () => {
    expect(sizes([...hundredMib, ring('grown', { kib: large, ...silent })]).at(-1)).toBe(smallest);
  });

  test('the one that has been silent for longest goes first', () => {
    const rings = many(26, { silentSinceMs: nowMs - silentMs });
    const longest = ring('longest', { silentSinceMs: nowMs - silentMs - 1 });
    const { kib } = receiveRingSizes([...rings.slice(1), longest], plenty, nowMs);
    expect([...kib].filter(([, size]) => size === smallest).map(([key]) => key)).toEqual(['1', 'longest']);
  });

  test.each<[string, Partial<ReceiveRing>]>([
    ['not a moment earlier', { silentSinceMs: nowMs - silentMs + 1 }],
    ['not before it listens', { silentSinceMs: undefined }],
    ['not while another tcpdump is being replaced', { ...silent, replacedKib: smallest }],
  ])('%s', (_what, more) => {
    expect(sizes([...hundredMib, ring('a', more)]).at(-1)).toBe(start);
  });

  test('the time at which the next one will have been silent for that long is known', () => {
    const rings = [
      ...hundredMib,
      ring('a', { silentSinceMs: nowMs - 1 }),
      ring('b', { silentSinceMs: nowMs - 2 }),
    ];
    expect(receiveRingSizes(rings, plenty, nowMs).nextMs).toBe(nowMs - 2 + silentMs);
    expect(receiveRingSizes(rings.slice(-2), plenty, nowMs).nextMs).toBeUndefined();
  });
});

test('a hundred silent captures take 175 MiB at once and 100 later', () => {
  const started = sizes(many(100, notStarted));
  const sum = (values: readonly number[]) => values.reduce((total, kib) => total + kib, 0);
  expect(sum(started)).toBe(175 * mib);
  expect(sum(sizes(started.map((kib, i) => ring(`${i}`, { kib, ...silent }))))).toBe(100 * mib);
});

test('a changed request keeps the size of the ring, or takes 1 MiB where both do not fit', () => {
  const changed = ring('a', { kib: large, isReplaced: true });
  expect(sizes([changed], { budgetBytes: 32 * 2 ** 20, maxRings: 1 })).toEqual([large]);
  expect(sizes([changed], { budgetBytes: 31 * 2 ** 20, maxRings: 1 })).toEqual([smallest]);
  expect(sizes([changed], { budgetBytes: 3 * 2 ** 20, maxRings: 1 })).toEqual([smallest]);
});

test('a fixed size is the size of every ring, always', () => {
  const rings = [...many(30, silent), ring('full', { isFull: true }), ring('new', notStarted)];
  const { kib, nextMs } = receiveRingSizes(rings, { ...plenty, fixedKib: 2_560 }, nowMs);
  expect(new Set(kib.values())).toEqual(new Set([2_560]));
  expect([kib.size, nextMs]).toEqual([32, undefined]);
  expect([reservedRingBytes(2_560), reservedRingBytes(undefined)]).toEqual([2 * 2_560 * 1_024, 2 * 2 ** 20]);
});
