import { expect, test } from 'vitest';
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
