import { expect, test } from 'vitest';
import { gapHistory } from './gaps.ts';
import {
  continuousViolations,
  type ObservedAgent,
  type ObservedPod,
  settledViolations,
} from './invariants.ts';

const pod: ObservedPod = {
  name: 'a',
  uid: 'uid-a',
  exists: true,
  desiredFiles: 2,
  maxDesiredFiles: 2,
  wasEverAnnotated: true,
  sends: true,
  folder: folder(2, [98, 99, 100]),
  tcpdumps: 1,
};
const idle: ObservedPod = {
  ...pod,
  desiredFiles: undefined,
  folder: undefined,
  tcpdumps: 0,
};
const agent: ObservedAgent = {
  node: 'node1',
  pid: 7,
  captures: 1,
  memoryKib: 40_000,
  descriptors: 40,
  zombies: 0,
};
const start = { pods: [{ ...pod, folder: folder(2, [50]) }], agents: [agent] };

test.each<[string, Partial<ObservedPod>]>([
  ['captured', {}],
  ['captured with one file more for a moment', { folder: folder(3, [100]) }],
  ['not annotated', idle],
  ['silent', { folder: folder(2, [50]), sends: false }],
  ['deleted, with its files', { exists: false, desiredFiles: undefined, tcpdumps: 0 }],
])('a Pod that is %s violates nothing', (_what, change) => {
  const now = { pods: [{ ...pod, ...change }], agents: [agent] };
  expect(settledViolations(start, now, history([agent]))).toEqual([]);
  expect(continuousViolations(now, now)).toEqual([]);
});

test.each<[string, Partial<ObservedPod>]>([
  ['one tcpdump per capture, none without', { tcpdumps: 0 }],
  ['one tcpdump per capture, none without', { tcpdumps: 2 }],
  ['one tcpdump per capture, none without', { exists: false }],
  ['one tcpdump per capture, none without', { ...idle, tcpdumps: 1 }],
  ['a Pod that is not annotated has no folder', { ...idle, folder: folder(0, []) }],
  ['an annotated Pod is captured', { folder: folder(2, [50]) }],
  ['an annotated Pod is captured', { folder: folder(1, []) }],
  ['as many bytes as N files have, and the one that is being written', { folder: folder(4, [100]) }],
])('%s: violated by %j', (invariant, change) => {
  const now = { pods: [{ ...pod, ...change }], agents: [] };
  expect(settledViolations(start, now, history([])).map((each) => each.invariant)).toEqual([invariant]);
});

test.each<[string, Partial<ObservedAgent>]>([
  ['no zombies', { zombies: 1 }],
  ['descriptors flat', { descriptors: 71 }],
  ['memory flat', { memoryKib: 100_001 }],
])('%s: violated by %j', (invariant, change) => {
  const now = { pods: [], agents: [{ ...agent, ...change }] };
  expect(settledViolations(start, now, history([agent])).map((each) => each.invariant)).toEqual([invariant]);
});

test('a ring that is too large is a violation when observed twice in a row, an unrequested folder at once', () => {
  const many = { pods: [{ ...pod, folder: folder(4, [100]) }], agents: [] };
  expect(continuousViolations(start, many)).toEqual([]);
  expect(continuousViolations(many, many)).toHaveLength(1);
  const fewerDesired = { pods: [{ ...pod, folder: folder(4, [100]), maxDesiredFiles: 3 }], agents: [] };
  expect(continuousViolations(fewerDesired, fewerDesired)).toEqual([]);
  const unrequested = { pods: [{ ...idle, folder: folder(0, []), wasEverAnnotated: false }], agents: [] };
  expect(continuousViolations(start, unrequested)).toHaveLength(1);
});

test('a gap that no record explains is a violation', () => {
  const gap = { from: 1, to: 1, next: 4, missing: 2, reported: 0 };
  const now = { pods: [pod], agents: [] };
  expect(settledViolations(start, now, { ...history([]), gaps: { unexplained: () => [gap] } })).toMatchObject(
    [
      {
        invariant: 'every datagram is in a file or in a counter',
        detail: expect.stringContaining(JSON.stringify(gap)),
      },
    ],
  );
});

function history(agents: readonly ObservedAgent[]) {
  return { agents: new Map(agents.map((each) => [each.pid, each])), gaps: gapHistory() };
}

function folder(files: number, numbers: readonly number[]) {
  return {
    id: 'a',
    files,
    captures: [{ generation: 1, numbers, missed: 0, dropped: 0, wasCut: false }],
    forgotten: 0,
  };
}
