import { expect, test } from 'vitest';
import {
  alwaysViolated,
  missingOf,
  type SeenAgent,
  type SeenCapture,
  type SeenPod,
  settledViolated,
} from './invariants.ts';

const pod: SeenPod = {
  name: 'a',
  uid: 'uid-a',
  lives: true,
  wantedFiles: 2,
  mostFiles: 2,
  wasEverWanted: true,
  sends: true,
  hasFolder: true,
  files: 2,
  tcpdumps: 1,
  captures: [capture(1, [98, 99, 100])],
  forgotten: 0,
};
const idle: SeenPod = {
  ...pod,
  wantedFiles: undefined,
  hasFolder: false,
  files: 0,
  tcpdumps: 0,
  captures: [],
};
const agent: SeenAgent = {
  node: 'node1',
  pid: 7,
  captures: 1,
  memoryKib: 40_000,
  descriptors: 40,
  zombies: 0,
};
const start = { pods: [{ ...pod, captures: [capture(1, [50])] }], agents: [agent] };

test.each<[string, Partial<SeenPod>]>([
  ['captured', {}],
  ['with a file more for a moment', { files: 3 }],
  ['with what was dropped counted', { captures: [capture(1, [1, 4], { dropped: 2 })] }],
  ['with what was missed counted', { captures: [capture(1, [1, 2]), capture(2, [5, 6], { missed: 2 })] }],
  ['with the end of a capture lost', { captures: [capture(1, [1, 2], { dropped: 2 }), capture(2, [5, 6])] }],
  [
    'with captures that heard nothing between',
    { captures: [capture(1, [1]), capture(2, [], { missed: 1 }), capture(3, [4], { missed: 1 })] },
  ],
  [
    'with a capture between whose record is gone',
    { captures: [capture(1, [1]), capture(4, [4])], forgotten: 2 },
  ],
  ['with what two captures both have', { captures: [capture(1, [1, 2, 3]), capture(2, [2, 3, 4])] }],
  ['not wanted', idle],
  ['silent', { captures: [capture(1, [50])], sends: false }],
  ['gone, with its files', { lives: false, wantedFiles: undefined, tcpdumps: 0 }],
])('a Pod that is %s is as it should be', (_what, change) => {
  const now = { pods: [{ ...pod, ...change }], agents: [agent] };
  expect(settledViolated(start, now, new Map([[7, agent]]))).toEqual([]);
  expect(alwaysViolated(now, now)).toEqual([]);
});

test.each<[string, Partial<SeenPod>]>([
  ['one tcpdump per capture, none without', { tcpdumps: 0 }],
  ['one tcpdump per capture, none without', { tcpdumps: 2 }],
  ['one tcpdump per capture, none without', { lives: false }],
  ['one tcpdump per capture, none without', { ...idle, tcpdumps: 1 }],
  ['what is not annotated leaves no file', { ...idle, hasFolder: true }],
  ['what is annotated is captured', { captures: [capture(1, [50])] }],
  ['what is annotated is captured', { captures: [capture(1, [])] }],
  ['N files, and one more for a moment', { files: 4 }],
  ['every datagram is in a file or in a counter', { captures: [capture(1, [1, 4], { dropped: 1 })] }],
  // What was missed before a capture explains nothing of what is missing within it.
  ['every datagram is in a file or in a counter', { captures: [capture(1, [1, 4], { missed: 9 })] }],
  [
    'every datagram is in a file or in a counter',
    { captures: [capture(1, [1, 2], { missed: 9 }), capture(2, [5, 6], { missed: 1 })] },
  ],
])('%s: violated by %j', (invariant, change) => {
  const now = { pods: [{ ...pod, ...change }], agents: [] };
  expect(settledViolated(start, now, new Map()).map((each) => each.invariant)).toEqual([invariant]);
});

test.each<[string, Partial<SeenAgent>]>([
  ['no zombies', { zombies: 1 }],
  ['descriptors flat', { descriptors: 71 }],
  ['memory flat', { memoryKib: 100_001 }],
])('%s: violated by %j', (invariant, change) => {
  const now = { pods: [], agents: [{ ...agent, ...change }] };
  expect(settledViolated(start, now, new Map([[7, agent]])).map((each) => each.invariant)).toEqual([
    invariant,
  ]);
});

test('too many files count only when they are seen twice in a row, a folder that nobody asked for at once', () => {
  const many = { pods: [{ ...pod, files: 4 }], agents: [] };
  expect(alwaysViolated(start, many)).toEqual([]);
  expect(alwaysViolated(many, many)).toHaveLength(1);
  const fewerWanted = { pods: [{ ...pod, files: 4, mostFiles: 3 }], agents: [] };
  expect(alwaysViolated(fewerWanted, fewerWanted)).toEqual([]);
  const unasked = { pods: [{ ...idle, hasFolder: true, wasEverWanted: false }], agents: [] };
  expect(alwaysViolated(start, unasked)).toHaveLength(1);
});

test.each([
  ['nothing', [], 0],
  ['an unbroken run', [5, 6, 7], 0],
  ['the same twice', [5, 6, 6, 7], 0],
  ['a gap', [5, 9], 3],
  ['a new start, from its first', [5, 6, 2_000_000, 2_000_001], 0],
  ['a new start whose first is missing', [5, 6, 2_000_002], 2],
])('missing of %s', (_what, numbers, missing) => {
  expect(missingOf(numbers)).toBe(missing);
});

function capture(
  generation: number,
  numbers: readonly number[],
  told: { readonly missed?: number; readonly dropped?: number } = {},
): SeenCapture {
  return { generation, numbers, missed: 0, dropped: 0, ...told };
}
