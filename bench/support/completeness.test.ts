import { expect, test } from 'vitest';
import { completeness } from './completeness.ts';

const passed = [10, 11, 12, 13, 14, 15, 16, 17];
const complete = { missedBefore: 0, missing: 0, surplus: 0, lastShare: 1, isComplete: true };
const incomplete = { ...complete, isComplete: false };

test.each([
  ['all datagrams', passed, complete],
  ['all datagrams from a later one on', [12, 13, 14, 15, 16, 17], { ...complete, missedBefore: 2 }],
  ['all but the last', [10, 11, 12, 13, 14, 15, 16], { ...incomplete, missing: 1, lastShare: 0.75 }],
  ['all but the last block', [10, 11, 12], { ...incomplete, missing: 5, lastShare: 0 }],
  ['all but one in the middle', [10, 12, 13, 14, 15, 16, 17], { ...incomplete, missing: 1 }],
  ['no datagram', [], { ...incomplete, missedBefore: 8, lastShare: 0 }],
  ['one datagram twice', [...passed, 17], { ...incomplete, surplus: 1 }],
  ['a datagram that did not pass', [...passed, 18], { ...incomplete, surplus: 1 }],
])('completeness of a capture that has %s', (_, captured, expected) => {
  expect(completeness(passed, captured, 4)).toEqual(expected);
});
