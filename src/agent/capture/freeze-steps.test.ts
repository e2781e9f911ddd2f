import { expect, test } from 'vitest';
import type { FreezeRequest } from '../planner/annotations.ts';
import type { FreezeCause, SeenState } from '../storage/freeze-records.ts';
import { mostFilesAfterTrigger } from '../storage/ring-size.ts';
import { nothingFrozen, ringSpecOf, specOf } from '../testing/fixtures.ts';
import { freezeSteps, heldUntilMs, momentStep, setAsideStep } from './freeze-steps.ts';
import type { Goal } from './goal.ts';
import { noMemory } from './pod-memory.ts';
import type { FreezingRing, Observed, ObservedCapture, ObservedFreeze } from './pod-state.ts';

const nowMs = 1_000_000;
const crash: FreezeCause = { trigger: 'restart', container: 'app', exitCode: 1, reason: 'Error' };
const byHand: FreezeCause = { trigger: 'manual', text: 'now' };

function seenWith(lastEnd?: string, text?: string): SeenState {
  const app = { name: 'app', restarts: 0, isReady: true, ...(lastEnd !== undefined && { lastEnd }) };
  return { bootId: 'boot', phase: 'Running', containers: [app], ...(text !== undefined && { text }) };
}

/** A Pod whose container has ended that run, as an agent observes it that has noted `noted`. */
function observedWith(lastEnd: string | undefined, freeze: Partial<ObservedFreeze> = {}): Observed {
  const end = lastEnd === undefined ? {} : { lastEnd: { id: lastEnd, exitCode: 1, reason: 'Error' } };
  const container = {
    name: 'app',
    kind: 'main' as const,
    restarts: 0,
    isReady: true,
    mayComplete: false,
    hasCompleted: false,
    ...end,
  };
  return {
    nowMs,
    network: { kind: 'absent', problem: '', sinceMs: 0 },
    spareRings: 1,
    captures: [],
    folder: { hasEndOfPod: false, isOnlyFrozen: false },
    recording: { formerSizes: [] },
    inFlight: new Map(),
    memory: noMemory,
    freeze: {
      ...nothingFrozen,
      pod: { phase: 'Running', containers: [container] },
      log: { sequence: 1, seen: seenWith(), notFrozen: 0 },
      ...freeze,
    },
  };
}

function request(fields: Partial<FreezeRequest> = {}): FreezeRequest {
  return { on: ['restart'], afterMs: 5_000, text: undefined, ...fields };
}

function ringSince(ms: number): FreezingRing {
  return { number: 1, upTo: 2, sinceMs: nowMs - ms };
}

const asked = request({ text: 'now' });

test('without a request to freeze, nothing is looked at', () => {
  expect(momentStep(request({ on: [] }), observedWith('run-1', { log: undefined }))).toBeUndefined();
});

test('a Pod that is seen for the first time is noted', () => {
  expect(momentStep(request(), observedWith('run-1', { log: undefined }))).toEqual({
    kind: 'noteFreeze',
    log: { seen: seenWith('run-1'), notFrozen: 0 },
    causes: [],
  });
});

test('an end freezes, and once it is noted, nothing more happens', () => {
  const log = { seen: seenWith('run-1'), notFrozen: 0 };
  expect(momentStep(request(), observedWith('run-1'))).toEqual({
    kind: 'beginFreeze',
    causes: [crash],
    log,
    replacesNewest: false,
  });
  expect(momentStep(request(), observedWith('run-1', { log: { sequence: 2, ...log } }))).toBeUndefined();
});

test('several causes within a second are of one moment', () => {
  expect(momentStep(request(), observedWith('run-1', { ring: ringSince(999) }))).toEqual({
    kind: 'noteFreeze',
    log: { seen: seenWith('run-1'), notFrozen: 0 },
    causes: [crash],
  });
});

test.each<[string, Partial<ObservedFreeze>]>([
  ['while another ring is being frozen', { ring: ringSince(1_000) }],
  ['within a minute of the last time', { lastMs: nowMs - 59_999 }],
])('an end %s is only counted', (_what, freeze) => {
  const log = { sequence: 1, seen: seenWith(), notFrozen: 2 };
  expect(momentStep(request(), observedWith('run-1', { log, ...freeze }))).toEqual({
    kind: 'noteFreeze',
    log: { seen: seenWith('run-1'), notFrozen: 3 },
    causes: [],
    notFrozen: { causes: [crash], why: 'TooSoon' },
  });
});

test('a minute later, it freezes again', () => {
  const step = momentStep(request(), observedWith('run-1', { lastMs: nowMs - 60_000 }));
  expect(step?.kind).toBe('beginFreeze');
});

test('what somebody asks for freezes at any time, and after the ring that is being frozen', () => {
  const log = { seen: seenWith(undefined, 'now'), notFrozen: 0 };
  expect(momentStep(asked, observedWith(undefined, { lastMs: nowMs - 2_000 }))).toEqual({
    kind: 'beginFreeze',
    causes: [byHand],
    log,
    replacesNewest: false,
  });
  expect(momentStep(asked, observedWith(undefined, { ring: ringSince(2_000) }))).toBeUndefined();
  // An end meanwhile is noted without it.
  expect(momentStep(asked, observedWith('run-1', { ring: ringSince(2_000) }))).toMatchObject({
    log: { seen: seenWith('run-1'), notFrozen: 1 },
    notFrozen: { causes: [crash], why: 'TooSoon' },
  });
});

test('what happened waits until it is known whether there is capacity', () => {
  expect(momentStep(request(), observedWith('run-1', { capacity: undefined }))).toBeUndefined();
});

test('without capacity, the newest frozen ring is replaced, or nothing is frozen', () => {
  expect(momentStep(request(), observedWith('run-1', { capacity: 'replaces' }))).toMatchObject({
    kind: 'beginFreeze',
    replacesNewest: true,
  });
  expect(momentStep(request(), observedWith('run-1', { capacity: 'none' }))).toMatchObject({
    kind: 'noteFreeze',
    notFrozen: { causes: [crash], why: 'NoCapacity' },
  });
});

const held: ObservedCapture = {
  generation: 2,
  network: { sandboxId: 'a', netns: '/a', addresses: [] },
  spec: ringSpecOf(0),
  phase: { kind: 'listening' },
  listeningMs: 0,
  silentSinceMs: undefined,
  isRingFull: false,
  reported: { generation: 2, missedBefore: { kind: 'first', packets: 0 } },
  isOtherInterface: false,
  condition: { kind: 'normal' },
  filesSinceHeld: 0,
};
const refusedRing = {
  spec: ringSpecOf(3),
  refusal: { reason: 'NoSuchInterface', message: 'renamed' },
  untilMs: Number.POSITIVE_INFINITY,
} as const;
const successor = nowMs + 100;

test.each<[string, { filesSince?: number; successorMs?: number | undefined; untilMs: number }]>([
  ['after the time that was asked for', { untilMs: nowMs + 5_000 }],
  [
    'at once after N files, if the next one captures',
    { filesSince: 3, successorMs: nowMs - 1, untilMs: nowMs },
  ],
  ['when the next one has captured for a moment', { filesSince: 3, untilMs: successor }],
  ['a minute later, if none captures', { successorMs: undefined, untilMs: nowMs + 65_000 }],
  [
    'at once, whether one captures or not, before the disk is used up',
    { filesSince: mostFilesAfterTrigger({ files: 3 }), successorMs: undefined, untilMs: nowMs },
  ],
])('a capture that is frozen ends %s', (_what, { untilMs, ...given }) => {
  const { filesSince, successorMs } = { filesSince: 0, successorMs: successor, ...given };
  const when = { ring: ringSince(0), request: { files: 3, afterMs: 5_000 }, successorMs, nowMs };
  expect(heldUntilMs({ ...held, filesSinceHeld: filesSince }, when)).toBe(untilMs);
});

test.each<[string, Pick<Goal & { kind: 'run' }, 'rings' | 'refused'>, number]>([
  ['as long as asked for', { rings: [ringSpecOf(3)], refused: [] }, nowMs + 65_000],
  ['as long, if its ring is refused for now', { rings: [], refused: [refusedRing] }, nowMs + 65_000],
  ['at once, if its interface is not asked for any more', { rings: [], refused: [] }, nowMs],
])('a capture that is frozen goes on or ends: %s', (_what, rings, atMs) => {
  const observed = observedWith('run-1', { ring: ringSince(0) });
  const captures = [{ ...held, filesSinceHeld: 0 }];
  const steps = freezeSteps({ kind: 'run', ...rings }, specOf(3, { freeze: request() }), {
    ...observed,
    captures,
  });
  expect(steps).toContainEqual({ step: { kind: 'stop', generation: 2 }, atMs });
});

test('the files are set aside once every capture of the ring has ended and is accounted for', () => {
  const observed = observedWith(undefined, { ring: ringSince(5_000) });
  const setAside = { kind: 'setAside', number: 1 };
  expect(setAsideStep({ ...observed, captures: [held] })).toBeUndefined();
  expect(setAsideStep({ ...observed, captures: [{ ...held, generation: 3 }] })).toEqual(setAside);
  expect(setAsideStep(observed)).toEqual(setAside);
  expect(setAsideStep(observedWith(undefined))).toBeUndefined();
});

const log = { sequence: 1, seen: seenWith(), notFrozen: 0 };
const noted = { kind: 'noteFreeze', log: { seen: seenWith('run-1'), notFrozen: 0 }, causes: [] };

test.each<[string, Goal, unknown[]]>([
  [
    'what happens while nothing is captured is only noted',
    { kind: 'stop', why: 'Paused', after: { kind: 'unmarkEnded' } },
    [noted],
  ],
  ['nothing is noted before the recording is open', { kind: 'run', rings: [ringSpecOf(3)], refused: [] }, []],
  [
    'nothing is noted by an agent that ends',
    { kind: 'stop', why: 'AgentStopped', after: { kind: 'nothing' } },
    [],
  ],
])('%s', (_what, goal, steps) => {
  const observed = { ...observedWith('run-1', { log, isPodSeen: false }), recording: undefined };
  const spec = goal.kind === 'run' ? specOf(3, { freeze: request() }) : undefined;
  expect(freezeSteps(goal, spec, observed).map(({ step }) => step)).toEqual(steps);
});
