import { expect, test } from 'vitest';
import { noTotals, type Totals } from '../storage/capture-records.ts';
import {
  type CaptureReadings,
  captureEnd,
  captureTotals,
  interfacePacketsAtEnd,
  lostAtStop,
  noReadings,
} from './capture-totals.ts';

const statistics = { captured: 90, received: 100, dropped: 4 };
const final = { captured: 95, received: 105, dropped: 6 };

test.each<[string, Partial<CaptureReadings>, Partial<Totals>]>([
  ['before anything is read, all are 0, and what is unseen is unknown', {}, {}],
  ['while it runs, nothing is lost at stop', { statistics }, { captured: 90, dropped: 4 }],
  [
    'at the end, the final statistics count, and what was received, not dropped and not captured is lost',
    { statistics, end: captureEnd({ statistics: final, unwritten: 0 }, undefined) },
    { captured: 95, dropped: 6, lostAtStop: 4 },
  ],
  [
    'what was captured and is in no file is lost as well',
    { end: captureEnd({ statistics: final, unwritten: 10 }, undefined) },
    { captured: 85, dropped: 6, lostAtStop: 14 },
  ],
  [
    'of a tcpdump that was killed, what is in its files is captured',
    { statistics, end: captureEnd({ statistics: undefined, unwritten: 0 }, 93) },
    { captured: 93, dropped: 4 },
  ],
  [
    '... or what it counted last, if its files cannot be read',
    { statistics, end: captureEnd({ statistics: undefined, unwritten: 0 }, undefined) },
    { captured: 90, dropped: 4 },
  ],
  ['pruned is what the agent and tcpdump deleted', { pruned: { byAgent: 3, byTcpdump: 20 } }, { pruned: 23 }],
  ['a known gap is missed', { gap: { kind: 'known', missed: 7 } }, { missed: 7 }],
  ['duplicates are those of the capture before', { duplicated: 5 }, { duplicated: 5 }],
  ['what is known to be unseen', { unseen: { atLeast: 5, isKnown: true } }, { unseen: 5 }],
  ['0 is known as well', { unseen: { atLeast: 0, isKnown: true } }, { unseen: 0 }],
  [
    'what was unseen as long as that was known',
    { unseen: { atLeast: 5, isKnown: false } },
    { unseen: 5, isUnseenPartial: true },
  ],
])('%s', (_what, readings, totals) => {
  const of = { interfaceName: 'eth0', capturedMs: 1_000 };
  expect(captureTotals({ ...noReadings, ...readings }, of)).toEqual({
    ...noTotals,
    unseen: undefined,
    capturedMs: 1_000,
    ...totals,
  });
});

test('a capture that never listened was to see nothing: nothing of it is unknown', () => {
  expect(captureTotals(noReadings, { interfaceName: 'eth0', capturedMs: 0 })).toEqual(noTotals);
});

test.each<[string, Partial<CaptureReadings>, number | undefined]>([
  ['nothing was read', {}, undefined],
  ['tcpdump never answered at the start', { interfacePackets: 40, interfacePacketsAtStart: 10 }, 40],
  [
    'tcpdump reported what it received',
    {
      interfacePackets: 40,
      interfacePacketsAtStart: 10,
      receivedAtStart: 2,
      end: captureEnd({ statistics: final, unwritten: 0 }, undefined),
    },
    113,
  ],
  [
    'tcpdump did not receive 7 of the packets that passed',
    {
      interfacePackets: 40,
      interfacePacketsAtStart: 10,
      receivedAtStart: 2,
      unseen: { atLeast: 7, isKnown: true },
      end: captureEnd({ statistics: final, unwritten: 0 }, undefined),
    },
    120,
  ],
  [
    'the interface counted more packets than the socket received',
    {
      interfacePackets: 400,
      interfacePacketsAtStart: 10,
      receivedAtStart: 2,
      end: captureEnd({ statistics: final, unwritten: 0 }, undefined),
    },
    400,
  ],
  [
    'it was killed: what is in its files, and what it had dropped',
    {
      statistics,
      interfacePackets: 40,
      interfacePacketsAtStart: 10,
      receivedAtStart: 2,
      end: captureEnd({ statistics: undefined, unwritten: 0 }, 93),
    },
    105,
  ],
])('the packets of the interface at the end: %s', (_what, readings, packets) => {
  expect(interfacePacketsAtEnd({ ...noReadings, ...readings })).toBe(packets);
});

test.each([
  ['eth0', { captured: 100, received: 100, dropped: 0 }, 0],
  ['eth0', { captured: 90, received: 100, dropped: 4 }, 6],
  // On lo, each packet is received twice and captured once.
  ['lo', { captured: 100, received: 200, dropped: 0 }, 0],
  ['lo', { captured: 90, received: 200, dropped: 0 }, 10],
  // Of the two, the kernel may drop the one that is not captured anyway.
  ['lo', { captured: 100, received: 200, dropped: 3 }, 0],
])('on %s, %o means that %d packets were lost at stop', (name, counts, lost) => {
  expect(lostAtStop(counts, name)).toBe(lost);
});
