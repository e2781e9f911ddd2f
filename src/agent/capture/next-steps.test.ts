import { expect, test } from 'vitest';
import type { Refusal } from '../planner/refusals.ts';
import { nothingFrozen, ringSpecOf, specOf } from '../testing/fixtures.ts';
import { nextSteps } from './next-steps.ts';
import { noMemory } from './pod-memory.ts';
import type {
  DesiredState,
  Observed,
  ObservedCapture,
  Outcome,
  RingSpec,
  Step,
  StepKey,
} from './pod-state.ts';

const nowMs = 100_000;
const network = { sandboxId: 'a', netns: '/run/netns/a', addresses: [] };
const request = specOf(5);
const spec: RingSpec = ringSpecOf(5);
const filtered = { ...spec, filter: 'udp' };
const loopback = { ...spec, interface: 'lo' };
const larger = { ...spec, bufferKib: 16_384 };
const found: Observed['network'] = { kind: 'found', network, sinceMs: 0 };
const other: Observed['network'] = {
  kind: 'found',
  network: { sandboxId: 'b', netns: '/b', addresses: [] },
  sinceMs: nowMs - 900,
};
const lost: Observed['network'] = { kind: 'absent', problem: 'none', sinceMs: nowMs - 900 };
const long: Observed['network'] = { kind: 'absent', problem: 'none', sinceMs: nowMs - 1_000 };
const open = { formerSizes: [] };
const folder = { hasEndOfPod: false, isOnlyFrozen: false };

const capture: DesiredState = { kind: 'capture', request, rings: [spec] };
const captureFiltered: DesiredState = { kind: 'capture', request, rings: [filtered] };
const finish: DesiredState = { kind: 'finish', request, rings: [spec], untilMs: nowMs + 60_000 };
const rest: DesiredState = { kind: 'rest', why: { kind: 'durationReached' } };
const erase: DesiredState = {
  kind: 'erase',
  why: 'AnnotationRemoved',
  keepsFrozen: false,
  meanwhile: capture,
};

function running(fields: Partial<ObservedCapture> = {}): ObservedCapture {
  const isListening = fields.listeningMs !== undefined || !('listeningMs' in fields);
  return {
    generation: 1,
    network,
    spec,
    phase: isListening ? { kind: 'listening' } : { kind: 'starting', sinceMs: nowMs - 100 },
    listeningMs: nowMs - 5_000,
    silentSinceMs: undefined,
    isRingFull: false,
    reported: { generation: 1, missedBefore: { kind: 'first', packets: 0 } },
    isOtherInterface: false,
    condition: { kind: 'normal' },
    filesSinceHeld: undefined,
    ...fields,
  };
}

const start = (what = spec): Step => ({ kind: 'start', spec: what, network });
const stop = (generation: number): Step => ({ kind: 'stop', generation });
const ask: Step = { kind: 'askWhetherToErase', why: 'AnnotationRemoved' };

function remembered(key: StepKey, outcome: EndOfAttempt): Pick<Observed, 'memory'> {
  const whole: Outcome = { forRevision: 7, atMs: nowMs - 100, ...outcome };
  return { memory: { ...noMemory, outcomes: new Map([[key, whole]]) } };
}

type EndOfAttempt = { readonly forRevision?: number } & (
  | { readonly kind: 'done' }
  | { readonly kind: 'failed'; readonly message: string; readonly notBeforeMs: number }
  | { readonly kind: 'refused'; readonly refusal: Refusal; readonly notBeforeMs: number }
);

function inFlight(...steps: [StepKey, Step][]): Pick<Observed, 'inFlight'> {
  return { inFlight: new Map(steps) };
}

const accepted = remembered('checkFilter udp', { kind: 'done', forRevision: 1 });
const refusal = { reason: 'NoSuchInterface', message: 'none' } as const;
const filter: Step = { kind: 'checkFilter', filter: 'udp' };

const cases: readonly [string, DesiredState, Partial<Observed>, Step[], number?][] = [
  ['a recording opens before its Pod has a network', capture, { network: lost }, [{ kind: 'open' }], 5_000],
  [
    'a filter is checked at the same time',
    captureFiltered,
    { network: lost },
    [{ kind: 'open' }, filter],
    5_000,
  ],
  ['a network that exists is captured', capture, { recording: open }, [start()]],
  ['... once the filter is accepted', captureFiltered, { recording: open, ...accepted }, [start(filtered)]],
  ['... and once', capture, { recording: open, ...inFlight(['start eth0', start()]) }, []],
  ['a capture that runs as requested is left alone', capture, { recording: open, captures: [running()] }, []],
  [
    'another number of files starts nothing',
    capture,
    { recording: open, captures: [running({ spec: { ...spec, files: 3 } })] },
    [{ kind: 'keep', generation: 1, files: 5 }],
  ],
  [
    'a capture that is replaced for another file size keeps its files until then',
    capture,
    { recording: open, captures: [running({ spec: { ...spec, files: 9, fileMegabytes: 3 } })] },
    [start()],
  ],
  [
    'another filter starts a second capture',
    captureFiltered,
    { recording: open, captures: [running()], ...accepted },
    [start(filtered)],
  ],
  [
    '... or stops the first one before, without capacity for both',
    captureFiltered,
    { recording: open, captures: [running()], spareRings: 0, ...accepted },
    [stop(1)],
  ],
  [
    '... once the filter is accepted',
    captureFiltered,
    { recording: open, captures: [running()], spareRings: 0 },
    [filter],
  ],
  [
    'another receive ring starts a second capture',
    { kind: 'capture', request, rings: [larger] },
    { recording: open, captures: [running()] },
    [start(larger)],
  ],
  [
    '... but stops nothing without capacity for both, and waits for that',
    { kind: 'capture', request, rings: [larger] },
    { recording: open, captures: [running()], spareRings: 0 },
    [],
    5_000,
  ],
  [
    'another interface starts a second capture',
    { kind: 'capture', request, rings: [loopback] },
    { recording: open, captures: [running()] },
    [start(loopback)],
  ],
  [
    '... or stops the first one before, without capacity for both',
    { kind: 'capture', request, rings: [loopback] },
    { recording: open, captures: [running()], spareRings: 0 },
    [stop(1)],
  ],
  [
    '... and starts once that one has ended',
    { kind: 'capture', request, rings: [loopback] },
    {
      recording: open,
      captures: [running({ phase: { kind: 'stopping' } })],
      spareRings: 0,
    },
    [],
  ],
  [
    'a third interface does not start a third capture',
    { kind: 'capture', request, rings: [loopback] },
    {
      recording: open,
      captures: [
        running(),
        running({ generation: 2, spec: { ...spec, interface: 'net1' }, listeningMs: undefined }),
      ],
    },
    [stop(2)],
    60_000 - 100,
  ],
  [
    'an interface that is captured, with another filter, needs no capture of another interface',
    { kind: 'capture', request, rings: [loopback] },
    {
      recording: open,
      captures: [running({ spec: { ...loopback, snaplen: 96 } }), running({ generation: 2 })],
    },
    [stop(2)],
  ],
  [
    '... whichever has started last',
    { kind: 'capture', request, rings: [loopback] },
    {
      recording: open,
      captures: [running(), running({ generation: 2, spec: { ...loopback, snaplen: 96 } })],
    },
    [stop(1)],
  ],
  [
    'an interface that is wanted again before it was replaced stays captured, and the other one is stopped',
    capture,
    { recording: open, captures: [running(), running({ generation: 2, spec: loopback })] },
    [stop(2)],
  ],
  [
    'a capture that is stopped for two reasons is stopped once',
    { kind: 'capture', request, rings: [loopback] },
    {
      recording: open,
      network: { ...other, sinceMs: nowMs - 1_000 },
      captures: [
        running(),
        running({ generation: 2, spec: loopback, network: { sandboxId: 'b', netns: '/b', addresses: [] } }),
      ],
    },
    [stop(1)],
  ],
  [
    'an interface that has taken the name of the captured one is captured',
    capture,
    { recording: open, captures: [running({ condition: { kind: 'replaced' } })] },
    [start()],
  ],
  [
    'the replaced capture runs until the new one has listened for longer than the kernel keeps a block',
    captureFiltered,
    {
      recording: open,
      ...accepted,
      captures: [running(), running({ generation: 2, spec: filtered, listeningMs: nowMs - 100 })],
    },
    [],
    200,
  ],
  [
    '... and is then stopped',
    captureFiltered,
    { recording: open, ...accepted, captures: [running(), running({ generation: 2, spec: filtered })] },
    [stop(1)],
  ],
  [
    'a third request waits until the second capture has taken over',
    capture,
    {
      recording: open,
      captures: [
        running({ spec: filtered }),
        running({ generation: 2, spec: filtered, listeningMs: undefined }),
      ],
    },
    [],
    60_000 - 100,
  ],
  [
    'what failed is tried again later',
    capture,
    {
      recording: open,
      ...remembered('start eth0', { kind: 'failed', message: 'broken', notBeforeMs: nowMs + 500 }),
    },
    [],
    500,
  ],
  [
    '... but at once if the request has changed',
    capture,
    {
      recording: open,
      ...remembered('start eth0', {
        kind: 'failed',
        message: 'broken',
        forRevision: 6,
        notBeforeMs: nowMs + 500,
      }),
    },
    [start()],
  ],
  [
    'what is impossible ends what runs',
    capture,
    {
      recording: open,
      captures: [running()],
      ...remembered('start eth0', { kind: 'refused', refusal, notBeforeMs: nowMs + 500 }),
    },
    [stop(1)],
  ],
  [
    '... unless the request has changed',
    capture,
    {
      recording: open,
      captures: [running()],
      ...remembered('start eth0', { kind: 'refused', forRevision: 6, refusal, notBeforeMs: nowMs + 500 }),
    },
    [],
  ],
  [
    'when a network is gone, tcpdump has a second to notice',
    capture,
    { recording: open, captures: [running()], network: lost },
    [],
    100,
  ],
  [
    '... and is then stopped',
    capture,
    { recording: open, captures: [running()], network: long },
    [stop(1)],
    5_000,
  ],
  [
    'a new sandbox is captured while the tcpdump of the old one ends',
    capture,
    { recording: open, captures: [running()], network: other },
    [{ kind: 'start', spec, network: { sandboxId: 'b', netns: '/b', addresses: [] } }],
    100,
  ],
  [
    'a network that cannot be read ends nothing',
    capture,
    { recording: open, captures: [running()], network: { kind: 'unreadable', sinceMs: 0 } },
    [],
    5_000,
  ],
  [
    'a sandbox that is being deleted is not captured again',
    capture,
    { recording: open, memory: { ...noMemory, goneSandbox: { sandboxId: 'a', untilMs: nowMs + 700 } } },
    [],
    700,
  ],
  [
    'a tcpdump that does not start to capture is given up',
    capture,
    {
      recording: open,
      captures: [running({ phase: { kind: 'starting', sinceMs: nowMs - 60_000 }, listeningMs: undefined })],
    },
    [{ kind: 'giveUp', generation: 1 }],
  ],
  [
    'an ended Pod is captured as long as its network exists',
    finish,
    { recording: open, captures: [running()] },
    [],
    60_000,
  ],
  ['... and no longer', finish, { recording: open, network: lost }, [{ kind: 'close', why: 'PodEnded' }]],
  ['... and then its end is recorded', finish, { folder, network: lost }, [{ kind: 'markEnded' }]],
  ['... once', finish, { folder: { ...folder, hasEndOfPod: true }, network: lost }, []],
  [
    'a Pod that is there after all has not ended',
    rest,
    { folder: { ...folder, hasEndOfPod: true } },
    [{ kind: 'unmarkEnded' }],
  ],
  ['a duration that is over ends what runs', rest, { recording: open, captures: [running()] }, [stop(1)]],
  [
    'a deletion is asked for, and nothing changes until then',
    erase,
    { recording: open, folder, captures: [running()] },
    [ask],
  ],
  [
    'a tcpdump that ends while the API server is asked is started again',
    erase,
    { recording: open, folder, ...inFlight(['askWhetherToErase', ask]) },
    [start()],
  ],
  [
    'permission for an older request does not count',
    erase,
    {
      folder,
      recording: open,
      captures: [running()],
      ...remembered('askWhetherToErase', { kind: 'done', forRevision: 6 }),
    },
    [ask],
  ],
  [
    'what may be deleted is stopped first: the request may change until then, and every packet must be counted',
    erase,
    { folder, recording: open, captures: [running()], ...remembered('askWhetherToErase', { kind: 'done' }) },
    [stop(1)],
  ],
  [
    '... and then deleted',
    erase,
    { folder, ...remembered('askWhetherToErase', { kind: 'done' }) },
    [{ kind: 'erase', why: 'AnnotationRemoved', keepsFrozen: false }],
  ],
  ['nothing is asked about, and nothing started, where nothing is left', erase, {}, []],
];

test.each(cases)('%s', (_what, state, fields, steps, waitMs) => {
  const observed: Observed = {
    nowMs,
    network: found,
    spareRings: 1,
    captures: [],
    folder: undefined,
    recording: undefined,
    memory: noMemory,
    inFlight: new Map(),
    freeze: nothingFrozen,
    ...fields,
  };
  const next = nextSteps({ ...state, revision: 7 }, observed);
  expect(next.steps).toEqual(steps);
  expect(next.wakeAtMs).toBe(waitMs === undefined ? undefined : nowMs + waitMs);
});
