import { expect, test } from 'vitest';
import { alwaysViolated, missingOf, type SeenAgent, type SeenPod, settledViolated } from './invariants.ts';

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
  last: 100,
  missing: 0,
  counted: 0,
};
const idle: SeenPod = {
  ...pod,
  wantedFiles: undefined,
  hasFolder: false,
  files: 0,
  tcpdumps: 0,
  last: undefined,
};
const agent: SeenAgent = {
  node: 'node1',
  pid: 7,
  captures: 1,
  memoryKib: 40_000,
  descriptors: 40,
  zombies: 0,
};
const start = { pods: [{ ...pod, last: 50 }], agents: [agent] };

test.each<[string, Partial<SeenPod>]>([
  ['captured', {}],
  ['with a file more for a moment', { files: 3 }],
  ['with what is missing counted', { missing: 5, counted: 6 }],
  ['not wanted', idle],
  ['silent', { last: 50, sends: false }],
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
  ['what is annotated is captured', { last: 50 }],
  ['what is annotated is captured', { last: undefined }],
  ['N files, and one more for a moment', { files: 4 }],
  ['every datagram is in a file or in a counter', { missing: 5, counted: 4 }],
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
