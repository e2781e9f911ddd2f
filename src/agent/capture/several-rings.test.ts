import { expect, test } from 'vitest';
import { noSuchInterface } from '../planner/refusals.ts';
import { nothingFrozen, ringSpecOf, specOf } from '../testing/fixtures.ts';
import { nextSteps } from './next-steps.ts';
import { noMemory } from './pod-memory.ts';
import type { DesiredState, Observed, ObservedCapture, Outcome, RingSpec, Step } from './pod-state.ts';

const nowMs = 100_000;
const revision = 7;
const network = { sandboxId: 'a', netns: '/run/netns/a', addresses: [] };
const recording = { formerSizes: [] };
const eth0 = ringSpecOf(5);
const lo: RingSpec = { ...eth0, interface: 'lo' };
const net1: RingSpec = { ...eth0, interface: 'net1' };
const net2: RingSpec = { ...eth0, interface: 'net2' };

function capture(...rings: RingSpec[]): DesiredState {
  const interfaces = rings.map((ring) => ring.interface);
  return { kind: 'capture', request: specOf(5, { interfaces }), rings };
}

/** A capture that has listened for a while. */
function running(generation: number, spec: RingSpec, more: Partial<ObservedCapture> = {}): ObservedCapture {
  return {
    generation,
    network,
    spec,
    phase: { kind: 'listening' },
    listeningMs: nowMs - 5_000,
    silentSinceMs: undefined,
    isRingFull: false,
    reported: { generation, missedBefore: { kind: 'first', packets: 0 } },
    isOtherInterface: false,
    condition: { kind: 'normal' },
    filesSinceHeld: undefined,
    ...more,
  };
}

const starting = { phase: { kind: 'starting', sinceMs: nowMs }, listeningMs: undefined } as const;
const start = (spec: RingSpec): Step => ({ kind: 'start', spec, network });
const stop = (generation: number): Step => ({ kind: 'stop', generation });
const startingNow = (...specs: RingSpec[]) =>
  new Map(specs.map((spec) => [`start ${spec.interface}`, start(spec)]));
const narrow = (spec: RingSpec): RingSpec => ({ ...spec, snaplen: 96 });

const refusal = noSuchInterface('net1', 30_000);
const refused = (...names: string[]) => ({
  ...noMemory,
  outcomes: new Map(
    names.map((name, at): [string, Outcome] => [
      `start ${name}`,
      { kind: 'refused', forRevision: revision, atMs: nowMs, refusal, notBeforeMs: nowMs + 700 + at },
    ]),
  ),
});

const cases: readonly [string, DesiredState, Partial<Observed>, Step[], number?][] = [
  ['all of them start at once, within what the plan counts', capture(eth0, lo), {}, [start(eth0), start(lo)]],
  [
    'one that is added starts beside the other one',
    capture(eth0, lo),
    { captures: [running(1, eth0)] },
    [start(lo)],
  ],
  [
    'one that is removed is stopped, and nothing else',
    capture(eth0),
    { captures: [running(1, eth0), running(2, lo)] },
    [stop(2)],
  ],
  [
    'one that starts again leaves the others alone',
    capture(eth0, lo),
    { captures: [running(1, eth0)], inFlight: startingNow(lo) },
    [],
  ],
  [
    'a changed request replaces all of them, if there is capacity for two rings of each',
    capture(narrow(eth0), narrow(lo)),
    { captures: [running(1, eth0), running(2, lo)], spareRings: 2 },
    [start(narrow(eth0)), start(narrow(lo))],
  ],
  [
    '... one after the other, if there is capacity for one more',
    capture(narrow(eth0), narrow(lo)),
    { captures: [running(1, eth0), running(2, lo)], spareRings: 1 },
    [start(narrow(eth0))],
  ],
  [
    '... where the next one waits for the end of the first handover',
    capture(narrow(eth0), narrow(lo)),
    { captures: [running(1, eth0), running(2, lo)], inFlight: startingNow(narrow(eth0)), spareRings: 0 },
    [],
  ],
  [
    '... or stops them before',
    capture(narrow(eth0), narrow(lo)),
    { captures: [running(1, eth0), running(2, lo)], spareRings: 0 },
    [stop(1), stop(2)],
  ],
  [
    'another interface takes over from one that is not wanted any more',
    capture(eth0, net1),
    { captures: [running(1, eth0), running(2, lo)], spareRings: 1 },
    [start(net1)],
  ],
  [
    '... or one that is not wanted makes room before',
    capture(eth0, net1),
    { captures: [running(1, eth0), running(2, lo)], spareRings: 0 },
    [stop(2)],
  ],
  [
    '... which is needed for one of two new ones: the plan counts the place of the other',
    capture(net1, net2),
    { captures: [running(1, eth0)], spareRings: 0 },
    [start(net1), stop(1)],
  ],
  [
    'of two that are not wanted any more, as many go on as are not captured yet',
    capture(net1),
    { captures: [running(1, eth0), running(2, lo)], spareRings: 1 },
    [stop(1)],
  ],
  [
    '... both for two',
    capture(net1, net2),
    { captures: [running(1, eth0), running(2, lo), running(3, net1, starting)], spareRings: 2 },
    [start(net2)],
    60_000,
  ],
  [
    '... until the first of the two has captured for a moment',
    capture(net1, net2),
    {
      captures: [
        running(1, eth0),
        running(2, lo),
        running(3, net1, { listeningMs: nowMs - 200 }),
        running(4, net2, starting),
      ],
    },
    [],
    100,
  ],
  [
    'a ring has two tcpdumps at most, and the rings of a Pod twice as many as there are',
    capture(net1),
    { captures: [running(1, eth0, { phase: { kind: 'stopping' } }), running(2, lo)], spareRings: 9 },
    [],
  ],
  [
    'one that is refused is refused alone, and tried again later',
    capture(eth0, net1),
    { captures: [running(1, eth0)], memory: refused('net1') },
    [],
    700,
  ],
  [
    '... and the others start',
    capture(net1, eth0, lo),
    { memory: refused('net1') },
    [start(eth0), start(lo)],
    700,
  ],
  [
    'if all are refused, the recording is closed, and the first one is tried again',
    capture(net1, net2),
    { memory: refused('net1', 'net2') },
    [{ kind: 'close', why: 'Refused' }],
  ],
  [
    'an ended Pod of which one interface is refused is captured as long as its network exists',
    {
      kind: 'finish',
      request: specOf(5),
      rings: [eth0, net1],
      untilMs: nowMs + 500,
    },
    { captures: [running(1, eth0)], memory: refused('net1') },
    [],
    500,
  ],
  [
    'what two rings had is measured once one of them has ended',
    capture(eth0),
    { captures: [running(1, eth0)], recording: { formerSizes: [{ files: 5, fileMegabytes: 1, rings: 2 }] } },
    [{ kind: 'measure' }],
  ],
  [
    '... and not while it is written',
    capture(eth0),
    {
      captures: [running(1, eth0), running(2, lo, { phase: { kind: 'stopping' } })],
      recording: { formerSizes: [{ files: 5, fileMegabytes: 1, rings: 2 }] },
    },
    [],
  ],
];

test.each(cases)('of several interfaces, %s', (_what, state, fields, steps, waitMs) => {
  const observed: Observed = {
    nowMs,
    network: { kind: 'found', network, sinceMs: 0 },
    spareRings: 0,
    captures: [],
    folder: { hasEndOfPod: false, isOnlyFrozen: false },
    recording,
    memory: noMemory,
    inFlight: new Map(),
    freeze: nothingFrozen,
    ...fields,
  };
  const next = nextSteps({ ...state, revision }, observed);
  expect(next.steps).toEqual(steps);
  expect(next.wakeAtMs).toBe(waitMs === undefined ? undefined : nowMs + waitMs);
});
