import { expect, test } from 'vitest';
import type { Expectation } from './desired-pods.ts';
import { gapHistory, type ObservedInterface } from './gaps.ts';
import { continuousViolations, settledViolations } from './invariants.ts';
import type { ObservedAgent, ObservedPod, SoakHistory } from './observed-cluster.ts';
import type { ObservedFolder, ObservedFrozenRing } from './observed-folder.ts';
import { captured, observedPod } from './testing/observed-pod.ts';

const pod: ObservedPod = { ...observedPod, folder: folder() };
const notAsked = { expected: expecting('must not'), folder: undefined, tcpdumps: 0 };
const resting = { expected: { ...expecting('must'), isAsked: true }, tcpdumps: 0 };
const unselected = { expected: expecting('must'), folder: folder({ policy: 'soak' }), tcpdumps: 0 };
const bothCaptured = { expected: { ...captured, captured: ['eth0', 'lo'] }, tcpdumps: 2 };
const agent: ObservedAgent = {
  node: 'node1',
  pid: 7,
  captures: 1,
  memoryKib: 40_000,
  descriptors: 40,
  zombies: 0,
};
const start = { pods: [{ ...pod, folder: folder({ interfaces: [interfaceOf([50])] }) }], agents: [agent] };
const forgettable = { past: { ...pod.past, isForgettable: true } };

test.each<[string, Partial<ObservedPod>]>([
  ['captured', {}],
  ['captured with one file more for a moment', { folder: folder({ ring: { eth0: 3 } }) }],
  ['not asked for', { ...notAsked, ...forgettable }],
  ['silent', { folder: folder({ interfaces: [interfaceOf([50])] }), sends: false }],
  ['deleted, with its files', { ...unselected, exists: false, folder: folder() }],
  ['paused, with its files', resting],
  ['not selected any more, with its files', unselected],
  [
    'captured on two interfaces',
    {
      ...bothCaptured,
      folder: folder({
        interfaces: [interfaceOf([100]), interfaceOf([100], 'lo')],
        ring: { eth0: 3, lo: 3 },
      }),
    },
  ],
  [
    'captured in a new folder after its annotation was removed',
    { ...forgettable, folder: folder({ id: 'b' }) },
  ],
  ['captured, and frozen', { folder: folder({ frozen: [ring(1), ring(4), ring(5)] }) }],
])('a Pod that is %s violates nothing', (_what, change) => {
  const now = { pods: [{ ...pod, ...change }], agents: [agent] };
  expect(settledViolations(start, now, history({ agents: [agent] }))).toEqual([]);
  expect(continuousViolations(now, now)).toEqual([]);
});

const oneTcpdump = 'one tcpdump for each interface that is captured, none without';
const noFolder = 'a folder exists only for what an annotation asks for, or what a policy has asked for last';
const filesStay =
  'the files stay while anybody asks for them, and for the retention time of what a policy asked for';
const isCaptured = 'what is asked for is captured, unless it is paused';
const ringSize = 'as many bytes as N files have, and the one that is being written';

test.each<[string, Partial<ObservedPod>]>([
  [oneTcpdump, { tcpdumps: 0 }],
  [oneTcpdump, { tcpdumps: 2 }],
  [oneTcpdump, { ...unselected, folder: folder(), exists: false, tcpdumps: 1 }],
  [oneTcpdump, { ...notAsked, ...forgettable, tcpdumps: 1 }],
  [oneTcpdump, { ...resting, tcpdumps: 1 }],
  [
    oneTcpdump,
    {
      expected: { ...captured, captured: ['eth0', 'lo'] },
      folder: folder({ interfaces: [interfaceOf([100]), interfaceOf([1], 'lo')] }),
    },
  ],
  [noFolder, { ...notAsked, ...forgettable, folder: folder() }],
  [noFolder, { ...notAsked, ...forgettable, folder: folder({ policy: 'soak' }) }],
  [noFolder, { ...unselected, folder: folder() }],
  [filesStay, { ...resting, folder: undefined }],
  [filesStay, { ...unselected, folder: undefined }],
  [filesStay, { ...unselected, exists: false, folder: undefined }],
  [filesStay, { folder: folder({ id: 'b' }) }],
  [isCaptured, { folder: folder({ interfaces: [interfaceOf([50])] }) }],
  [isCaptured, { folder: folder({ interfaces: [interfaceOf([])] }) }],
  [isCaptured, { folder: folder({ interfaces: [] }) }],
  [isCaptured, bothCaptured],
  [ringSize, { folder: folder({ ring: { eth0: 3.1 } }) }],
  [ringSize, { folder: folder({ ring: { eth0: 2, lo: 1.1 } }) }],
  [ringSize, { ...resting, folder: folder({ ring: { eth0: 3.1 } }) }],
])('%s: violated by %j', (invariant, change) => {
  const now = { pods: [{ ...pod, ...change }], agents: [] };
  expect(settledViolations(start, now, history()).map((each) => each.invariant)).toEqual([invariant]);
});

test.each<[string, Partial<ObservedAgent>]>([
  ['no zombies', { zombies: 1 }],
  ['descriptors flat', { descriptors: 71 }],
  ['memory flat', { memoryKib: 100_001 }],
])('%s: violated by %j', (invariant, change) => {
  const now = { pods: [], agents: [{ ...agent, ...change }] };
  const found = settledViolations(start, now, history({ agents: [agent] }));
  expect(found.map((each) => each.invariant)).toEqual([invariant]);
});

test('a ring that is too large is a violation when observed twice in a row, an unrequested folder at once', () => {
  const many = { pods: [{ ...pod, folder: folder({ ring: { eth0: 4 } }) }], agents: [] };
  expect(continuousViolations(start, many)).toEqual([]);
  expect(continuousViolations(many, many)).toHaveLength(1);
  const past = { ...pod.past, mostFiles: 3 };
  const fewerDesired = { pods: [{ ...pod, folder: folder({ ring: { eth0: 4 } }), past }], agents: [] };
  expect(continuousViolations(fewerDesired, fewerDesired)).toEqual([]);
  const never = { ...pod.past, mostFilesEver: 0 };
  const unrequested = {
    pods: [{ ...pod, ...notAsked, folder: folder({ ring: {} }), past: never }],
    agents: [],
  };
  expect(continuousViolations(start, unrequested)).toHaveLength(1);
});

test('a frozen ring has what the ring had, and 2 N + 4 files more', () => {
  const withRing = (files: number) => ({
    pods: [{ ...pod, folder: folder({ frozen: [{ ...ring(1), files: { eth0: files } }] }) }],
    agents: [],
  });
  expect(continuousViolations(withRing(11), withRing(11))).toEqual([]);
  expect(continuousViolations(withRing(11.1), withRing(11.1))).toHaveLength(1);
  expect(settledViolations(start, withRing(11.1), history())).toMatchObject([
    { invariant: 'as many bytes as a frozen ring may have' },
  ]);
});

test('a gap that no record explains is a violation', () => {
  const gap = { from: 1, to: 1, next: 4, missing: 2, reported: 0 };
  const now = { pods: [pod], agents: [] };
  expect(settledViolations(start, now, { ...history(), gaps: { unexplained: () => [gap] } })).toMatchObject([
    {
      invariant: 'every datagram is in a file or in a counter',
      detail: expect.stringContaining(`${JSON.stringify(gap)} of eth0`),
    },
  ]);
});

function history({ agents = [] }: { readonly agents?: readonly ObservedAgent[] } = {}): SoakHistory {
  return {
    agents: new Map(agents.map((each) => [each.pid, each])),
    gaps: gapHistory(),
    frozenTexts: new Set(),
    folders: new Map([['uid-a', { id: 'a', frozen: [] }]]),
  };
}

function expecting(expected: Expectation['folder']): Expectation {
  return { isAsked: false, captured: [], folder: expected, files: 2 };
}

function folder(change: Partial<ObservedFolder> = {}): ObservedFolder {
  const interfaces = [interfaceOf([98, 99, 100])];
  const none = { id: 'a', policy: undefined, seenText: undefined, frozen: [] };
  return { ...none, interfaces, ring: { eth0: 2 }, ...change };
}

function interfaceOf(numbers: readonly number[], name = 'eth0'): ObservedInterface {
  const capture = { generation: 1, numbers, missed: 0, dropped: 0, wasCut: false, followsHole: false };
  return { id: `a: ${name}`, name, captures: [capture], forgotten: 0 };
}

function ring(number: number): ObservedFrozenRing {
  return { number, isFrozen: true, texts: [], files: { eth0: 2 } };
}
