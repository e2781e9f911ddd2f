import { expect, test } from 'vitest';
import { rememberGaps } from './gaps.ts';
import { alwaysViolated, type SeenAgent, type SeenPod, settledViolated } from './invariants.ts';

const pod: SeenPod = {
  name: 'a',
  uid: 'uid-a',
  lives: true,
  wantedFiles: 2,
  mostFiles: 2,
  wasEverWanted: true,
  sends: true,
  folder: folder(2, [98, 99, 100]),
  tcpdumps: 1,
};
const idle: SeenPod = {
  ...pod,
  wantedFiles: undefined,
  folder: undefined,
  tcpdumps: 0,
};
const agent: SeenAgent = {
  node: 'node1',
  pid: 7,
  captures: 1,
  memoryKib: 40_000,
  descriptors: 40,
  zombies: 0,
};
const start = { pods: [{ ...pod, folder: folder(2, [50]) }], agents: [agent] };

test.each<[string, Partial<SeenPod>]>([
  ['captured', {}],
  ['with a file more for a moment', { folder: folder(3, [100]) }],
  ['not wanted', idle],
  ['silent', { folder: folder(2, [50]), sends: false }],
  ['gone, with its files', { lives: false, wantedFiles: undefined, tcpdumps: 0 }],
])('a Pod that is %s is as it should be', (_what, change) => {
  const now = { pods: [{ ...pod, ...change }], agents: [agent] };
  expect(settledViolated(start, now, memory([agent]))).toEqual([]);
  expect(alwaysViolated(now, now)).toEqual([]);
});

test.each<[string, Partial<SeenPod>]>([
  ['one tcpdump per capture, none without', { tcpdumps: 0 }],
  ['one tcpdump per capture, none without', { tcpdumps: 2 }],
  ['one tcpdump per capture, none without', { lives: false }],
  ['one tcpdump per capture, none without', { ...idle, tcpdumps: 1 }],
  ['what is not annotated leaves no file', { ...idle, folder: folder(0, []) }],
  ['what is annotated is captured', { folder: folder(2, [50]) }],
  ['what is annotated is captured', { folder: folder(1, []) }],
  ['N files, and one more for a moment', { folder: folder(4, [100]) }],
])('%s: violated by %j', (invariant, change) => {
  const now = { pods: [{ ...pod, ...change }], agents: [] };
  expect(settledViolated(start, now, memory([])).map((each) => each.invariant)).toEqual([invariant]);
});

test.each<[string, Partial<SeenAgent>]>([
  ['no zombies', { zombies: 1 }],
  ['descriptors flat', { descriptors: 71 }],
  ['memory flat', { memoryKib: 100_001 }],
])('%s: violated by %j', (invariant, change) => {
  const now = { pods: [], agents: [{ ...agent, ...change }] };
  expect(settledViolated(start, now, memory([agent])).map((each) => each.invariant)).toEqual([invariant]);
});

test('too many files count only when they are seen twice in a row, a folder that nobody asked for at once', () => {
  const many = { pods: [{ ...pod, folder: folder(4, [100]) }], agents: [] };
  expect(alwaysViolated(start, many)).toEqual([]);
  expect(alwaysViolated(many, many)).toHaveLength(1);
  const fewerWanted = { pods: [{ ...pod, folder: folder(4, [100]), mostFiles: 3 }], agents: [] };
  expect(alwaysViolated(fewerWanted, fewerWanted)).toEqual([]);
  const unasked = { pods: [{ ...idle, folder: folder(0, []), wasEverWanted: false }], agents: [] };
  expect(alwaysViolated(start, unasked)).toHaveLength(1);
});

test('a gap that nothing tells of is violated', () => {
  const gap = { from: 1, to: 1, next: 4, missing: 2, told: 0 };
  const now = { pods: [pod], agents: [] };
  expect(settledViolated(start, now, { ...memory([]), gaps: { unexplained: () => [gap] } })).toMatchObject([
    {
      invariant: 'every datagram is in a file or in a counter',
      detail: expect.stringContaining(JSON.stringify(gap)),
    },
  ]);
});

function memory(agents: readonly SeenAgent[]) {
  return { agents: new Map(agents.map((each) => [each.pid, each])), gaps: rememberGaps() };
}

function folder(files: number, numbers: readonly number[]) {
  return {
    id: 'a',
    files,
    captures: [{ generation: 1, numbers, missed: 0, dropped: 0, wasCut: false }],
    forgotten: 0,
  };
}
