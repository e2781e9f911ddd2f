import { expect, test } from 'vitest';
import { happens } from './until.ts';
import { wakeup } from './wakeup.ts';

test('calls of wake before a wait end the next wait, and only that', async () => {
  const loop = wakeup();
  loop.wake();
  loop.wake();
  await loop.wait();
  const second = loop.wait(0).then(() => 'time passed');
  expect(await second).toBe('time passed');
});

test('wake ends a wait without a time limit', async () => {
  const loop = wakeup();
  const waited = loop.wait().then(() => 'woken');
  loop.wake();
  expect(await waited).toBe('woken');
});

test('a wait for longer than a timer can count does not end at once', async () => {
  const loop = wakeup();
  let hasEnded = false;
  const waited = loop.wait(2 ** 31).then(() => {
    hasEnded = true;
  });
  expect(await happens(() => hasEnded, { withinMs: 50 })).toBe(false);
  loop.wake();
  await waited;
});
