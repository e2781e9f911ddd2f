import { expect, test } from 'vitest';
import { specOf } from '../testing/fixtures.ts';
import { type CaptureStep, nextStep, type RecordingObservation, type RunningCapture } from './next-step.ts';

const nowMs = 100_000;
const network = { sandboxId: 'a', netns: '/run/netns/a' };
const other = { sandboxId: 'b', netns: '/run/netns/b' };
const spec = specOf(5);
const filtered = specOf(5, { filter: 'udp' });
const endWithPod = { kind: 'endWithPod', untilMs: nowMs + 60_000 } as const;

function running(fields: Partial<RunningCapture> = {}): RunningCapture {
  return { spec, network, listeningMs: nowMs - 5_000, ...fields };
}

const end: CaptureStep = { kind: 'end' };
const begin: CaptureStep = { kind: 'begin', network };
const forAChange: CaptureStep = { kind: 'wait', ms: undefined, forNetwork: false };
const wait = (ms: number): CaptureStep => ({ kind: 'wait', ms, forNetwork: false });
const forNetwork: CaptureStep = { kind: 'wait', ms: 5_000, forNetwork: true };
const stop = (which: 'all' | 'replaced'): CaptureStep => ({ kind: 'stop', which });

const cases: readonly [string, Partial<RecordingObservation>, CaptureStep][] = [
  ['a Pod without a network is waited for', { network: undefined }, forNetwork],
  ['its network is captured when it is there', {}, begin],
  ['what runs as it should is left alone', { current: running() }, forAChange],
  ['another number of files changes nothing', { current: running(), spec: specOf(100) }, forAChange],
  ['another filter begins beside what runs', { current: running(), spec: filtered }, begin],
  [
    'the one before goes on until the next listens',
    { current: running({ listeningMs: undefined }), replaces: true },
    forAChange,
  ],
  [
    '... and has listened for longer than a block',
    { current: running({ listeningMs: nowMs - 100 }), replaces: true },
    wait(200),
  ],
  ['... and is stopped then', { current: running(), replaces: true }, stop('replaced')],
  [
    'a third request waits until the second has taken over',
    { current: running({ listeningMs: undefined }), replaces: true, spec: filtered },
    forAChange,
  ],
  ['what failed comes again later', { notBeforeMs: nowMs + 500 }, wait(500)],
  ['what cannot be done waits for another request', { notBeforeMs: Number.POSITIVE_INFINITY }, forAChange],
  [
    'a network that went is left to tcpdump for a second',
    { current: running(), network: undefined },
    wait(1_000),
  ],
  [
    '... from the moment when it went',
    { current: running(), network: undefined, networkGoneMs: nowMs - 900 },
    wait(100),
  ],
  [
    '... and then what runs is stopped, also when the next network is there',
    { current: running(), network: other, networkGoneMs: nowMs - 1_000 },
    stop('all'),
  ],
  [
    'a sandbox that is being taken down is not captured again',
    { gone: { sandboxId: 'a', untilMs: nowMs + 700 } },
    wait(700),
  ],
  ['... but the next one is, at once', { gone: { sandboxId: 'b', untilMs: nowMs + 700 } }, begin],
  ['a stop ends it whatever runs', { goal: { kind: 'stop', why: 'AgentStopped' }, current: running() }, end],
  [
    'a Pod that has ended is captured as long as its network is there',
    { goal: endWithPod, current: running() },
    wait(60_000),
  ],
  ['... and no longer', { goal: endWithPod, network: undefined }, end],
  [
    '... which it is not while its sandbox is taken down',
    { goal: endWithPod, gone: { sandboxId: 'a', untilMs: 0 } },
    end,
  ],
  [
    '... nor is another request waited for any longer',
    { goal: endWithPod, notBeforeMs: Number.POSITIVE_INFINITY },
    wait(60_000),
  ],
  [
    '... nor a capture that never listens',
    { goal: endWithPod, current: running({ listeningMs: undefined }), replaces: true },
    wait(60_000),
  ],
  ['... or than a minute', { goal: { kind: 'endWithPod', untilMs: nowMs }, current: running() }, end],
];

test.each(cases)('%s', (_what, fields, step) => {
  const situation: RecordingObservation = {
    goal: { kind: 'record' },
    spec,
    network,
    current: undefined,
    replaces: false,
    networkGoneMs: undefined,
    gone: undefined,
    notBeforeMs: 0,
    ...fields,
  };
  expect(nextStep(situation, nowMs)).toEqual(step);
});
