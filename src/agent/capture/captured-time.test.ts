import { expect, test } from 'vitest';
import { capturedTime } from './captured-time.ts';

test('captures that overlap count once, and what is between captures does not count', () => {
  const time = capturedTime();
  expect(time.sumMs([], 50)).toBe(0);
  expect(time.sumMs([100, 130], 200)).toBe(100);
  // The first one ends at 250, the second at 300.
  time.end([100, 130], [130], 250);
  expect(time.sumMs([130], 280)).toBe(180);
  time.end([130], [], 300);
  expect(time.sumMs([], 900)).toBe(200);
  expect(time.sumMs([1_000], 1_050)).toBe(250);
  time.end([1_000], [], 1_100);
  expect(time.sumMs([], 2_000)).toBe(300);
});

test('a capture that never captured counts nothing', () => {
  const time = capturedTime();
  time.end([], [], 300);
  expect(time.sumMs([], 400)).toBe(0);
  time.end([100], [100], 300);
  expect(time.sumMs([100], 400)).toBe(300);
});
