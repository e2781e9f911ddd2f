import { expect, test } from 'vitest';
import { specOf } from '../testing/fixtures.ts';
import {
  type CaptureStep,
  nextStep,
  type RecordingObservation,
  type RunningCapture,
} from './next-capture-step.ts';

const nowMs = 100_000;
const network = { sandboxId: 'a', netns: '/run/netns/a' };
const other = { sandboxId: 'b', netns: '/run/netns/b' };
const spec = specOf(5);
const filtered = specOf(5, { filter: 'udp' });
const endWithPod = { kind: 'endWithPod', untilMs: nowMs + 60_000 } as const;

function running(fields: Partial<RunningCapture> = {}): RunningCapture {
  return { spec, network, listeningMs: nowMs - 5_000, isSuperseded: false, ...fields };
}

const end: CaptureStep = { kind: 'end' };
const start: CaptureStep = { kind: 'start', network };
const forChange: CaptureStep = { kind: 'wait', ms: undefined, forNetwork: false };
const wait = (ms: number): CaptureStep => ({ kind: 'wait', ms, forNetwork: false });
const forNetwork: CaptureStep = { kind: 'wait', ms: 5_000, forNetwork: true };
const stop = (which: 'all' | 'replaced'): CaptureStep => ({ kind: 'stop', which });

const cases: readonly [string, Partial<RecordingObservation>, CaptureStep][] = [
  ['waits for the network of a Pod', { network: undefined }, forNetwork],
  ['captures a network that exists', {}, start],
  ['leaves alone a capture that runs as requested', { current: running() }, forChange],
  ['another number of files starts nothing', { current: running(), spec: specOf(100) }, forChange],
  ['another filter starts a second capture', { current: running(), spec: filtered }, start],
  [
    'another interface that has taken the name starts a second capture',
    { current: running({ isSuperseded: true }) },
    start,
  ],
  [
    '... once, and the first one is stopped as usual',
    { current: running(), isReplacing: true },
    stop('replaced'),
  ],
  [
    'the replaced capture runs until the new one listens',
    { current: running({ listeningMs: undefined }), isReplacing: true },
    forChange,
  ],
  [
    '... and has listened for longer than the kernel keeps a block',
    { current: running({ listeningMs: nowMs - 100 }), isReplacing: true },
    wait(200),
  ],
  ['... and is then stopped', { current: running(), isReplacing: true }, stop('replaced')],
  [
    'a third request waits until the second capture has taken over',
    { current: running({ listeningMs: undefined }), isReplacing: true, spec: filtered },
    forChange,
  ],
  ['what failed is retried later', { notBeforeMs: nowMs + 500 }, wait(500)],
  ['what is impossible waits for another request', { notBeforeMs: Number.POSITIVE_INFINITY }, forChange],
  [
    'when a network is gone, tcpdump has a second to notice',
    { current: running(), network: undefined },
    wait(1_000),
  ],
  [
    '... from the moment it was gone',
    { current: running(), network: undefined, networkLostMs: nowMs - 900 },
    wait(100),
  ],
  [
    '... and is then stopped, even if the next network exists',
    { current: running(), network: other, networkLostMs: nowMs - 1_000 },
    stop('all'),
  ],
  [
    'a sandbox that is being deleted is not captured again',
    { goneSandbox: { sandboxId: 'a', untilMs: nowMs + 700 } },
    wait(700),
  ],
  ['... but the next one is, at once', { goneSandbox: { sandboxId: 'b', untilMs: nowMs + 700 } }, start],
  [
    'a stop ends the recording, whatever runs',
    { goal: { kind: 'stop', why: 'AgentStopped' }, current: running() },
    end,
  ],
  [
    'an ended Pod is captured as long as its network exists',
    { goal: endWithPod, current: running() },
    wait(60_000),
  ],
  ['... and no longer', { goal: endWithPod, network: undefined }, end],
  [
    '... or while the rest of its sandbox is being deleted',
    { goal: endWithPod, goneSandbox: { sandboxId: 'a', untilMs: 0 } },
    end,
  ],
  [
    '... and does not wait longer for another request',
    { goal: endWithPod, notBeforeMs: Number.POSITIVE_INFINITY },
    wait(60_000),
  ],
  [
    '... or for a capture that never listens',
    { goal: endWithPod, current: running({ listeningMs: undefined }), isReplacing: true },
    wait(60_000),
  ],
  [
    '... or for more than a minute',
    { goal: { kind: 'endWithPod', untilMs: nowMs }, current: running() },
    end,
  ],
];

test.each(cases)('%s', (_what, fields, step) => {
  const observation: RecordingObservation = {
    goal: { kind: 'record' },
    spec,
    network,
    current: undefined,
    isReplacing: false,
    networkLostMs: undefined,
    goneSandbox: undefined,
    notBeforeMs: 0,
    ...fields,
  };
  expect(nextStep(observation, nowMs)).toEqual(step);
});
