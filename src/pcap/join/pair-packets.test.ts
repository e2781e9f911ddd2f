import { expect, test } from 'vitest';
import { packetWindow } from './pair-packets.ts';

const options = { toleranceUs: 100_000, usualUs: 10_000 };
const origin = { source: 0, file: 0, offset: 24 };

test('expires packets older than the tolerance, and those that were taken', () => {
  const window = packetWindow(options);
  for (const timeUs of [0, 1_000, 200_000]) window.add({ ...origin, key: timeUs, timeUs, sinceUs: 0 });
  window.take(1_000, 1_000);
  window.expire(100_500);
  expect(window.take(0, 0)).toBeUndefined();
  expect(window.isEmpty()).toBe(false);
  window.expire(300_001);
  expect(window.isEmpty()).toBe(true);
});

test('pairs nothing with a packet from before its source started to capture', () => {
  const window = packetWindow(options);
  window.add({ ...origin, key: 7, timeUs: 50_000, sinceUs: 50_000 });
  expect(window.take(7, 39_000)).toBeUndefined();
  expect(window.take(7, 41_000)).toMatchObject(origin);
});

test('pairs the nearest first, and then in step, however many look alike', () => {
  const window = packetWindow(options);
  // The table wraps around ten times, and more packets are in it at once than it has slots at first.
  let taken = 0;
  for (let i = 0; i < 50_000; i += 1) {
    const timeUs = i * 20;
    for (const key of [i + 10, 1]) window.add({ source: key, file: 0, offset: i, key, timeUs, sinceUs: 0 });
    if (i < 4_000) continue;
    const late = (i - 3_000) * 20;
    window.expire(late);
    expect(window.take(i - 3_000 + 10, late)).toMatchObject({ offset: i - 3_000 });
    // Up to 8 ms late: 400 of them.
    expect(window.take(1, taken === 0 ? late : late + (i % 8) * 1_000)).toMatchObject({ offset: i - 3_000 });
    taken += 1;
  }
  expect(taken).toBe(46_000);
});

test('pairs the nearest again when one of those in step is missing', () => {
  const window = packetWindow(options);
  for (const timeUs of [0, 20_000, 40_000, 60_000])
    window.add({ ...origin, offset: timeUs, key: 7, timeUs, sinceUs: 0 });
  expect([0, 40_100, 60_100].map((timeUs) => window.take(7, timeUs)?.offset)).toEqual([0, 40_000, 60_000]);
});
