import { expect, test } from 'vitest';
import type { FreezeCause } from '../storage/freeze-records.ts';
import { causesText, contentsText, notFrozenText, reachText } from './frozen-ring-text.ts';

const ended: FreezeCause = { trigger: 'restart', container: 'app', exitCode: 1, reason: 'Error' };
const finishedAt = '2026-01-01T00:00:10Z';
const time = '2026-01-01T00:00:10.500Z';

test.each<[FreezeCause, string]>([
  [ended, 'container app ended with exit code 1 (Error)'],
  [{ ...ended, finishedAt }, `container app ended at ${finishedAt} with exit code 1 (Error)`],
  [{ ...ended, reason: '' }, 'container app ended with exit code 1'],
  [{ trigger: 'restart', container: 'app' }, 'container app was restarted'],
  [{ trigger: 'not-ready', container: 'app' }, 'container app is not ready'],
  [{ trigger: 'failed' }, 'the Pod failed'],
  [{ trigger: 'manual', text: 'a "b"' }, 'asked for by podcap.dev/freeze="a \\"b\\""'],
  [{ trigger: 'failed', isLate: true }, 'the Pod failed, while no agent watched it'],
])('%j in words', (cause, text) => {
  expect(causesText([cause])).toBe(text);
});

test.each<[string, FreezeCause, string | undefined, string]>([
  [
    'before the end of the container',
    { ...ended, finishedAt },
    '2026-01-01T00:00:04.800Z',
    'it reaches back to 5.2 s before the end of the container',
  ],
  [
    'into the second of it',
    { ...ended, finishedAt },
    '2026-01-01T00:00:10.900Z',
    'it reaches back to the second of the end of the container',
  ],
  [
    'not to it',
    { ...ended, finishedAt },
    '2026-01-01T00:00:11.600Z',
    'it reaches back only to 1.6 s after the end of the container: more or larger files, a filter or a snaplen would reach back further',
  ],
  [
    'before another trigger',
    { trigger: 'failed' },
    '2026-01-01T00:00:10.000Z',
    'it reaches back to 0.5 s before its trigger',
  ],
  ['to nothing', ended, undefined, ''],
])('how far back a ring reaches: %s', (_what, cause, first, text) => {
  const frozen = first === undefined ? { packets: 0 } : { packets: 2, first, last: first };
  expect(reachText({ causes: [cause], time, frozen })).toBe(text);
});

test('contents, and how often nothing was frozen, with singular and plural', () => {
  const times = { first: time, last: time };
  expect(contentsText({ frozen: { packets: 1, ...times } })).toBe(`1 packet from ${time} to ${time}`);
  expect(contentsText({ frozen: { packets: 2, ...times } })).toContain('2 packets from');
  expect(contentsText({ frozen: times })).toBe(`packets from ${time} to ${time}`);
  expect(contentsText({ frozen: { packets: 0 } })).toBe('no packets');
  expect([0, 1, 2].map(notFrozenText)).toEqual([
    '',
    '1 more time before, nothing was frozen',
    '2 more times before, nothing was frozen',
  ]);
});
