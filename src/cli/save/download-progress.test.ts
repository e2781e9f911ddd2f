import { expect, test } from 'vitest';
import { downloadProgress } from './download-progress.ts';

test('says how much of what is expected is there, how fast it comes, and how long it will take', () => {
  const progress = downloadProgress([100e6, 100e6], 0);
  expect(progress.text(0)).toBe('0 of 2 done: 0 MB of about 200 MB');
  progress.set(0, 20e6);
  expect(progress.text(1_000)).toBe('0 of 2 done: 20 MB of about 200 MB, 20 MB/s, 9 s left');
  progress.set(0, 90e6);
  progress.done(0);
  // It was smaller than expected.
  expect(progress.text(2_000)).toBe('1 of 2 done: 90 MB of about 190 MB, 45 MB/s, 3 s left');
});

test('a rate is that of the last seconds', () => {
  const progress = downloadProgress([1_000e6], 0);
  progress.set(0, 100e6);
  progress.text(1_000);
  for (let ms = 1_250; ms <= 9_000; ms += 250) progress.text(ms);
  expect(progress.text(9_250)).toBe('100 MB of about 1000 MB');
});

test('what is unknown is left out', () => {
  const progress = downloadProgress([undefined, 10e6], 0);
  progress.set(0, 5e6);
  expect(progress.text(1_000)).toBe('0 of 2 done: 5 MB, 5 MB/s');
});

test('a download that starts over has no rate below zero', () => {
  const progress = downloadProgress([10e6], 0);
  progress.set(0, 5e6);
  progress.text(1_000);
  progress.set(0, 0);
  expect(progress.text(1_500)).toBe('0 MB of about 10 MB');
});
