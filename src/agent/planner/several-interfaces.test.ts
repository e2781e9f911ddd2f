import { describe, expect, test } from 'vitest';
import { neverFrozen, podWith, specOf } from '../testing/fixtures.ts';
import { tcpdumpSpecsOf } from './annotations.ts';
import type { NodeState, RunningRecording } from './node-state.ts';
import { plan } from './plan.ts';
import { noPolicies } from './policies.ts';

/** A ring of 3 files of 1 MB may take 5.05 MB. */
const base: NodeState = {
  pods: new Map(),
  folders: new Map(),
  recording: new Map(),
  capturedBefore: new Set(),
  waits: new Map(),
  policies: noPolicies,
  unixMs: 0,
  deletedBytes: 0,
  capacity: {
    maxCaptures: 100,
    diskBudgetBytes: 1_000_000_000,
    bufferBudgetBytes: 1_000_000_000,
    bufferBytes: 4_000_000,
    fixedBufferKib: undefined,
    minFreeRatio: 0.2,
    disk: { availableBytes: 50_000_000_000, capacityBytes: 100_000_000_000 },
  },
  limits: { maxFiles: 100, maxFileMegabytes: 100, retentionMs: 1_000 },
  nowMs: 10_000,
};

/** Pods that ask for 3 files of each of these interfaces, the oldest first. */
function nodeWith(
  interfaces: Readonly<Record<string, string>>,
  recording: Readonly<Record<string, RunningRecording>>,
  capacity: Partial<NodeState['capacity']> = {},
): NodeState {
  const pods = Object.entries(interfaces).map(([uid, names], index) => {
    const annotations = { 'tcpdump.antrea.io': '3', 'podcap.dev/interface': names };
    return [uid, podWith({ uid, annotations, creationTimestamp: `2026-01-01T00:00:0${index}Z` })] as const;
  });
  return {
    ...base,
    pods: new Map(pods),
    recording: new Map(Object.entries(recording)),
    capacity: { ...base.capacity, ...capacity },
  };
}

/** Captures that run, as many as were asked for before and as are asked for now. */
function running(now: number, before = now): RunningRecording {
  const size = { files: 3, fileMegabytes: 1, rings: now };
  const formerSizes = before === now ? [] : [{ ...size, rings: before }];
  return { capturedMs: 0, atMs: 0, size, formerSizes, receiveRings: [] };
}

function kinds(state: NodeState): string[] {
  return [...plan(state).decisions].map(([uid, { kind }]) => `${uid} ${kind}`);
}

describe('each interface', () => {
  test('has a ring on the disk', () => {
    const interfaces = { a: 'eth0,lo', b: 'eth0' };
    expect(kinds(nodeWith(interfaces, {}, { diskBudgetBytes: 15_200_000 }))).toEqual([
      'a record',
      'b record',
    ]);
    expect(kinds(nodeWith(interfaces, {}, { diskBudgetBytes: 15_000_000 }))).toEqual([
      'a record',
      'b refuse',
    ]);
    expect(kinds(nodeWith(interfaces, {}, { diskBudgetBytes: 10_000_000 }))).toEqual([
      'a refuse',
      'b record',
    ]);
  });

  test('is one capture of the most that may run', () => {
    const interfaces = { a: 'eth0,lo', b: 'eth0' };
    expect(kinds(nodeWith(interfaces, {}, { maxCaptures: 3 }))).toEqual(['a record', 'b record']);
    expect(kinds(nodeWith(interfaces, {}, { maxCaptures: 2 }))).toEqual(['a record', 'b refuse']);
    expect(kinds(nodeWith(interfaces, {}, { maxCaptures: 1 }))).toEqual(['a refuse', 'b record']);
    expect(kinds(nodeWith(interfaces, {}, { bufferBudgetBytes: 11_000_000 }))).toEqual([
      'a record',
      'b refuse',
    ]);
  });

  test('has a receive ring of its own', () => {
    const { bufferKib } = plan(nodeWith({ a: 'eth0,lo', b: 'lo' }, {}));
    expect([...bufferKib].map(([uid, sizes]) => [uid, [...sizes]])).toEqual([
      [
        'a',
        [
          ['eth0', 4_096],
          ['lo', 4_096],
        ],
      ],
      ['b', [['lo', 4_096]]],
    ]);
  });
});

test('the receive ring of an interface grows alone', () => {
  const [eth0, lo] = tcpdumpSpecsOf(specOf(3, { interfaces: ['eth0', 'lo'] }));
  if (!eth0 || !lo) throw new Error('two interfaces');
  const ring = { kib: 4_096, replacedKib: 0, silentSinceMs: 9_000 };
  const recording = {
    ...running(2),
    receiveRings: [
      { ...ring, spec: eth0, isFull: false },
      { ...ring, spec: lo, isFull: true },
    ],
  };
  const { bufferKib } = plan(nodeWith({ a: 'eth0,lo' }, { a: recording }));
  expect([...(bufferKib.get('a') ?? [])]).toEqual([
    ['eth0', 4_096],
    ['lo', 16_384],
  ]);
});

describe('a capture that is asked for one interface more', () => {
  test('ends no other capture, whoever else asks for more', () => {
    const state = nodeWith(
      { a: 'eth0,lo', b: 'eth0', c: 'eth0' },
      { a: running(1), b: running(1), c: running(1) },
      { maxCaptures: 3 },
    );
    expect(kinds(state)).toEqual(['a refuse', 'b record', 'c record']);
    const larger = { ...running(1), size: { files: 1, fileMegabytes: 1, rings: 1 } };
    const recording = new Map([
      ['a', running(1)],
      ['b', larger],
      ['c', running(1)],
    ]);
    expect(kinds({ ...state, recording })).toEqual(['a refuse', 'b record', 'c record']);
  });

  test('comes after those that ask for no more, also if it asks for fewer files', () => {
    const state = nodeWith({ a: 'eth0,lo', b: 'eth0' }, { b: running(1) }, { maxCaptures: 2 });
    const many = { ...running(1), size: { files: 30, fileMegabytes: 1, rings: 1 } };
    const recording = new Map([
      ['a', many],
      ['b', running(1)],
    ]);
    expect(kinds({ ...state, recording })).toEqual(['a refuse', 'b record']);
  });
});

test('an interface that is not asked for any more has its place, and its ring, until it has ended', () => {
  const interfaces = { a: 'eth0', b: 'eth0' };
  const limited = { maxCaptures: 2 };
  expect(kinds(nodeWith(interfaces, { a: running(1, 2) }, limited))).toEqual(['a record', 'b wait']);
  expect(kinds(nodeWith(interfaces, { a: running(1) }, limited))).toEqual(['a record', 'b record']);
  const tight = { diskBudgetBytes: 10_200_000 };
  expect(kinds(nodeWith(interfaces, { a: running(1, 2) }, tight))).toEqual(['a record', 'b refuse']);
  expect(kinds(nodeWith(interfaces, { a: running(1) }, tight))).toEqual(['a record', 'b record']);
});

test('the captures of an ended Pod have a place for each interface', () => {
  const state = nodeWith({ a: 'eth0' }, { x: running(2) }, { maxCaptures: 2 });
  const folder = {
    pod: { namespace: 'default', name: 'x', uid: 'x' },
    files: 0,
    bytes: 0,
    largestBytes: 0,
    capturedMs: 0,
    endedMs: undefined,
    ...neverFrozen,
  };
  const ending = { ...state, folders: new Map([['x', folder]]) };
  expect(kinds(ending)).toEqual(['a wait', 'x keep']);
  expect(kinds({ ...ending, capacity: { ...state.capacity, maxCaptures: 3 } })).toEqual([
    'a record',
    'x keep',
  ]);
});
