import { expect, test } from 'vitest';
import { type CounterSample, isStalled } from './stall-detection.ts';

const before: CounterSample = { interfacePackets: 1_000, received: 900, captured: 900, written: '1 5000' };

test.each<[string, Partial<CounterSample>, boolean, boolean]>([
  ['nothing passes', {}, false, false],
  [
    'everything is stored',
    { interfacePackets: 1_100, received: 1_000, captured: 1_000, written: '1 9000' },
    false,
    false,
  ],
  ['packets pass and tcpdump receives none', { interfacePackets: 1_100 }, false, true],
  ['packets pass and the filter matches none', { interfacePackets: 1_100 }, true, false],
  [
    'packets are captured and not written',
    { interfacePackets: 1_100, received: 1_000, captured: 1_000 },
    true,
    true,
  ],
  ['a packet passes between reading the counters', { interfacePackets: 1_001 }, false, false],
  ['the interface cannot be read', { interfacePackets: undefined }, false, false],
])('%s', (_what, change, hasFilter, expected) => {
  expect(isStalled(before, { ...before, ...change }, hasFilter)).toBe(expected);
});
