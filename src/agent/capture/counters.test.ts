import { expect, test } from 'vitest';
import { lostAtStop } from './counters.ts';

test.each([
  ['eth0', { captured: 100, received: 100, dropped: 0 }, 0],
  ['eth0', { captured: 90, received: 100, dropped: 4 }, 6],
  // Each packet is received twice there, and captured once.
  ['lo', { captured: 100, received: 200, dropped: 0 }, 0],
  ['lo', { captured: 90, received: 200, dropped: 0 }, 10],
  // Of the two the kernel may drop the one that is not captured anyway.
  ['lo', { captured: 100, received: 200, dropped: 3 }, 0],
])('on %s, of %o %d packets were lost at stop', (name, statistics, lost) => {
  expect(lostAtStop(statistics, name)).toBe(lost);
});
