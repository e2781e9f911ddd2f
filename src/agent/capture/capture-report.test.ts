import { describe, expect, test } from 'vitest';
import type { MissedBefore } from '../observability/recording-report.ts';
import { noSuchInterface } from '../planner/refusals.ts';
import { ringSpecOf, specOf } from '../testing/fixtures.ts';
import { reportOfCaptures } from './capture-report.ts';
import type { ObservedCapture, RingSpec } from './pod-state.ts';

const eth0 = ringSpecOf(3);
const lo: RingSpec = { ...eth0, interface: 'lo' };
const first = (packets: number): MissedBefore => ({ kind: 'first', packets });
const gap = (packets: number, isSettled = false): MissedBefore => ({ kind: 'gap', packets, isSettled });
const unknown: MissedBefore = { kind: 'unknown' };

function listening(
  generation: number,
  spec: RingSpec,
  missedBefore: MissedBefore,
  more: Partial<ObservedCapture> = {},
): ObservedCapture {
  return {
    generation,
    network: { sandboxId: 'a', netns: '/run/netns/a', addresses: [] },
    spec,
    phase: { kind: 'listening' },
    listeningMs: 0,
    silentSinceMs: undefined,
    isRingFull: false,
    reported: { generation, missedBefore },
    isOtherInterface: false,
    condition: { kind: 'normal' },
    filesSinceHeld: undefined,
    ...more,
  };
}

function reportOf(...captures: ObservedCapture[]) {
  return reportOfCaptures({ rings: [eth0, lo], refused: [] }, captures, specOf(3));
}

describe('of two interfaces', () => {
  test.each<[string, MissedBefore, MissedBefore, MissedBefore]>([
    ['what passed before the first captures is added up', first(3), first(4), first(7)],
    ['what was missed in between is added up', gap(3), gap(4, true), gap(7, true)],
    ['what is unknown of one is unknown of both', first(3), unknown, unknown],
    [
      'a gap of one does not hide what passed the other',
      gap(3),
      first(4),
      { kind: 'gap', packets: 3, isSettled: false, firstPackets: 4 },
    ],
    ['... unless that is nothing', gap(3), first(0), gap(3)],
  ])('%s', (_what, ofEth0, ofLo, missedBefore) => {
    const report = reportOf(listening(1, eth0, ofEth0), listening(2, lo, ofLo));
    expect(report).toEqual({
      kind: 'capturing',
      generation: 2,
      spec: specOf(3, { interfaces: ['eth0', 'lo'] }),
      missedBefore,
      starts: [
        { interface: 'eth0', generation: 1, missedBefore: ofEth0, isOtherInterface: false },
        { interface: 'lo', generation: 2, missedBefore: ofLo, isOtherInterface: false },
      ],
    });
  });

  test('nothing is reported before both are captured', () => {
    expect(reportOf(listening(1, eth0, first(0)))).toBeUndefined();
    const other = { phase: { kind: 'stopping' } } as const;
    expect(reportOf(listening(1, eth0, first(0)), listening(2, lo, first(0), other))).toBeUndefined();
  });

  test('nothing is reported while one of them is captured as it was asked for before', () => {
    const before = listening(1, { ...eth0, snaplen: 96 }, first(0));
    expect(reportOf(before, listening(2, lo, first(0)))).toBeUndefined();
    const fewer = listening(1, { ...eth0, files: 2 }, first(0));
    expect(reportOf(fewer, listening(2, lo, first(0)))).toBeUndefined();
  });

  test('the one with a problem is reported, and of both the first', () => {
    const down = { condition: { kind: 'down' } } as const;
    const renamed = { condition: { kind: 'renamed', name: 'eth7' } } as const;
    const captures = [listening(1, lo, first(0), down), listening(2, eth0, first(0))];
    expect(reportOf(...captures)).toEqual({ kind: 'interfaceDown', generation: 1, interface: 'lo' });
    const both = [listening(1, lo, first(0), down), listening(2, eth0, first(0), renamed)];
    expect(reportOf(...both)).toEqual({
      kind: 'interfaceRenamed',
      generation: 2,
      interface: 'eth0',
      name: 'eth7',
    });
  });

  test('a problem of one is not reported while the other one is not captured: its failure still holds', () => {
    expect(reportOf(listening(1, eth0, first(0), { condition: { kind: 'down' } }))).toBeUndefined();
  });

  test('one that is replaced is reported by the capture of the next one', () => {
    const replaced = listening(1, eth0, first(0), { condition: { kind: 'replaced' } });
    expect(reportOf(replaced, listening(2, lo, first(0)))).toBeUndefined();
  });
});

test('an interface that is refused alone is reported with those that are captured', () => {
  const refusal = noSuchInterface('lo', 30_000);
  const captured = [listening(1, eth0, first(3))];
  const report = reportOfCaptures({ rings: [eth0], refused: [{ spec: lo, refusal }] }, captured, specOf(3));
  expect(report).toEqual({
    kind: 'capturing',
    generation: 1,
    spec: specOf(3),
    missedBefore: first(3),
    refused: [{ interface: 'lo', refusal }],
  });
});

test('of one interface, the capture is reported that it takes over from, until it is captured', () => {
  const report = reportOfCaptures({ rings: [lo], refused: [] }, [listening(1, eth0, first(3))], specOf(3));
  expect(report).toMatchObject({ kind: 'capturing', generation: 1, spec: { interfaces: ['eth0'] } });
});
