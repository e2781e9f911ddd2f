import { expect, test } from 'vitest';
import { noTotals } from '../src/agent/storage/capture-records.ts';
import { type FoundCapture, observedCaptures } from './observed-captures.ts';

const running = new Set([9]);

test('captures are those of each interface, with the counts of their records', () => {
  const totals = { ...noTotals, captured: 2, missed: 1, dropped: 2, lostAtStop: 3, unseen: 4 };
  const lo = found(2, { interfaceName: 'lo' });
  const observed = observedCaptures([found(1, { totals, numbers: [5, 6] }), lo, found(9)], running);
  expect([...observed.keys()]).toEqual(['eth0', 'lo']);
  expect(observed.get('eth0')?.[0]).toEqual({
    generation: 1,
    numbers: [5, 6],
    missed: 1,
    dropped: 9,
    wasCut: false,
    followsHole: false,
  });
});

test('a capture without an end was cut, unless its tcpdump runs', () => {
  const captures = [found(1, { endTime: undefined }), found(9, { endTime: undefined })];
  expect(flagsOf(captures, 'wasCut')).toEqual([true, false]);
});

test.each<[string, FoundCapture[], readonly boolean[]]>([
  ['no file pruned', [found(1, { frozen: 1 }), found(2)], [false, false]],
  ['its first file pruned', [found(1, { frozen: 1 }), found(2, { index: 3 })], [false, true]],
  [
    'a capture between them pruned',
    [found(1, { frozen: 1 }), found(2, { index: -1 }), found(3)],
    [false, false, true],
  ],
  [
    'a capture between them without a record',
    [found(1, { frozen: 1 }), found(3, { frozen: 2 })],
    [false, true],
  ],
  [
    'a capture between them that captured nothing',
    [found(1, { frozen: 1 }), found(2, { index: -1, totals: noTotals }), found(3)],
    [false, false, false],
  ],
  [
    'a capture between them that was cut, so that nobody knows what it captured',
    [found(1, { frozen: 1 }), found(2, { index: -1, totals: noTotals, endTime: undefined }), found(3)],
    [false, false, true],
  ],
  [
    'another interface between them',
    [found(1, { frozen: 1 }), found(2, { index: -1, interfaceName: 'lo' }), found(3)],
    [false, false],
  ],
  ['captures of one ring', [found(1), found(2, { index: -1 }), found(3)], [false, false, false]],
])(
  'what follows a frozen ring is adjacent to it unless something was pruned: %s',
  (_what, captures, holes) => {
    expect(flagsOf(captures, 'followsHole')).toEqual(holes);
  },
);

function flagsOf(captures: readonly FoundCapture[], flag: 'wasCut' | 'followsHole') {
  return observedCaptures(captures, running)
    .get('eth0')
    ?.map((capture) => capture[flag]);
}

type Found = {
  readonly interfaceName?: string;
  readonly frozen?: number | undefined;
  /** Of its one file; -1: it has none. */
  readonly index?: number;
  readonly numbers?: readonly number[];
  readonly totals?: typeof noTotals;
  readonly endTime?: string | undefined;
};

function found(generation: number, more: Found = {}): FoundCapture {
  const {
    interfaceName = 'eth0',
    frozen,
    index = 0,
    numbers = [generation],
    totals = { ...noTotals, captured: 1 },
  } = more;
  const endTime = 'endTime' in more ? more.endTime : '2026-01-01T00:00:00.000Z';
  return {
    record: { generation, interface: interfaceName, totals, endTime },
    frozen,
    files: index < 0 ? [] : [{ index, numbers }],
  };
}
