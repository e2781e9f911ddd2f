import { expect, test } from 'vitest';
import { ticksUpTo, yIn } from './axis.ts';

test.each([
  [100, [0, 20, 40, 60, 80, 100]],
  [161, [0, 50, 100, 150, 200]],
  [12.2, [0, 5, 10, 15]],
  [0, [0, 0.2]],
])('up to %d the ticks are %j', (max, expected) => {
  expect(ticksUpTo(max)).toEqual(expected);
});

test('0 is at the bottom of the frame and the last tick is at its top', () => {
  const y = yIn({ left: 0, right: 10, top: 20, bottom: 120 }, { ticks: [0, 50, 100] });
  expect([y(0), y(50), y(100)]).toEqual([120, 70, 20]);
});
