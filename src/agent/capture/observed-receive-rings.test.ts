import { expect, test } from 'vitest';
import { nothingFrozen, ringSpecOf } from '../testing/fixtures.ts';
import { observedReceiveRings } from './observed-receive-rings.ts';
import { noMemory } from './pod-memory.ts';
import type { CapturePhase, Observed, ObservedCapture, RingSpec, Step } from './pod-state.ts';

const network = { sandboxId: 'a', netns: '/run/netns/a', addresses: [] };
const eth0 = ringSpecOf(1);
const lo: RingSpec = { ...eth0, interface: 'lo' };

function captureOf(spec: RingSpec, kind: 'listening' | 'stopping' | 'ended'): ObservedCapture {
  const ending = {
    kind: 'ended',
    cause: 'stopped',
    message: '',
    statistics: undefined,
    writeError: undefined,
    unwritten: 0,
  } as const;
  const phase: CapturePhase = kind === 'ended' ? { kind, ending } : { kind };
  return {
    generation: 1,
    network,
    spec,
    phase,
    listeningMs: 900,
    silentSinceMs: 950,
    isRingFull: spec.interface === 'lo',
    reported: { generation: 1, missedBefore: { kind: 'unknown' } },
    isOtherInterface: false,
    condition: { kind: 'normal' },
    filesSinceHeld: undefined,
  };
}

function ringsOf(captures: readonly ObservedCapture[], ...starting: readonly RingSpec[]) {
  const steps = starting.map((spec): [string, Step] => [spec.interface, { kind: 'start', spec, network }]);
  const observed: Observed = {
    nowMs: 1_000,
    network: { kind: 'found', network, sinceMs: 0 },
    spareRings: 0,
    captures,
    folder: undefined,
    recording: undefined,
    memory: noMemory,
    inFlight: new Map(steps),
    freeze: nothingFrozen,
  };
  return observedReceiveRings(observed, { nowMs: 51_000 });
}

test('each interface has the ring of its newest tcpdump, with those that it replaces', () => {
  const large = { ...eth0, bufferKib: 16_384 };
  const captures = [captureOf(eth0, 'stopping'), captureOf(lo, 'listening'), captureOf(large, 'listening')];
  expect(ringsOf(captures)).toEqual([
    { spec: large, kib: 16_384, replacedKib: 4_096, silentSinceMs: 50_950, isFull: false },
    { spec: lo, kib: 4_096, replacedKib: 0, silentSinceMs: 50_950, isFull: true },
  ]);
});

test('a tcpdump has its ring from the moment its start is decided', () => {
  const filtered = { ...eth0, filter: 'udp' };
  expect(ringsOf([captureOf(eth0, 'listening')], filtered, lo)).toEqual([
    { spec: filtered, kib: 4_096, replacedKib: 4_096, silentSinceMs: undefined, isFull: false },
    { spec: lo, kib: 4_096, replacedKib: 0, silentSinceMs: undefined, isFull: false },
  ]);
});

test('a tcpdump that has ended has no ring any more', () => {
  expect(ringsOf([captureOf(eth0, 'ended')])).toEqual([]);
});
