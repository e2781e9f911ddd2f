import { expect, test } from 'vitest';
import { completeness } from './completeness.ts';

const carried = [10, 11, 12, 13, 14, 15, 16, 17];
const whole = { missedBefore: 0, missing: 0, surplus: 0, lastShare: 1, isComplete: true };
const broken = { ...whole, isComplete: false };

test.each([
  ['all', carried, whole],
  ['all from a later one on', [12, 13, 14, 15, 16, 17], { ...whole, missedBefore: 2 }],
  ['all but the last', [10, 11, 12, 13, 14, 15, 16], { ...broken, missing: 1, lastShare: 0.75 }],
  ['all but the last block', [10, 11, 12], { ...broken, missing: 5, lastShare: 0 }],
  ['a hole', [10, 12, 13, 14, 15, 16, 17], { ...broken, missing: 1 }],
  ['nothing', [], { ...broken, missedBefore: 8, lastShare: 0 }],
  ['one twice', [...carried, 17], { ...broken, surplus: 1 }],
  ['one that was not carried', [...carried, 18], { ...broken, surplus: 1 }],
])('a capture that has %s', (_, captured, expected) => {
  expect(completeness(carried, captured, 4)).toEqual(expected);
});
