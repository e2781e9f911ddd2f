import fc from 'fast-check';
import { expect, test } from 'vitest';
import { timeText } from './time-text.ts';

const withDate = (seconds: number) =>
  timeText({ seconds, nanoseconds: 123_456_789, time: 'with-date', resolution: 'ns' });

test('a time is shown as Date shows it, and with all nanoseconds', () => {
  fc.assert(
    fc.property(fc.integer({ min: -8_640_000_000_000, max: 8_640_000_000_000 }), (seconds) => {
      expect(withDate(seconds)).toBe(expected(seconds));
    }),
    { numRuns: 2_000 },
  );
});

test('each day from 1970 to the year 2110, and those around each later century, have the date that Date has', () => {
  for (let day = 0; day < 51_200; day += 1) expect(withDate(day * 86_400)).toBe(expected(day * 86_400));
  for (let year = 2_100; year <= 10_000; year += 100)
    for (let day = -400; day <= 400; day += 1) {
      const seconds = Date.UTC(year, 0, 1) / 1_000 + day * 86_400;
      expect(withDate(seconds)).toBe(expected(seconds));
    }
});

function expected(seconds: number): string {
  return new Date(seconds * 1_000).toISOString().replace('.000Z', '.123456789Z');
}
