import { expect, test } from 'vitest';
import { every, throttle, wakeAt } from './timers.ts';
import { until } from './until.ts';

test('every runs the work repeatedly, never twice at a time, also after an error', async () => {
  let running = 0;
  let most = 0;
  let runs = 0;
  const errors: unknown[] = [];
  const timer = every(
    1,
    async () => {
      running += 1;
      most = Math.max(most, running);
      await new Promise((resolve) => setImmediate(resolve));
      running -= 1;
      runs += 1;
      throw new Error('again');
    },
    (error) => errors.push(error),
  );
  await until(() => runs >= 3, { what: 'three runs' });
  timer[Symbol.dispose]();
  expect(most).toBe(1);
  expect(errors.length).toBeGreaterThanOrEqual(2);
});

test('wakeAt wakes once, at the time that was set last', async () => {
  const clock = { nowMs: () => performance.now(), bootId: 'boot' };
  let woken = 0;
  using alarm = wakeAt(clock, () => (woken += 1));
  alarm.at(clock.nowMs() + 3_600_000);
  alarm.at(undefined);
  alarm.at(clock.nowMs() - 5);
  await until(() => woken > 0, { what: 'the alarm' });
  alarm.at(clock.nowMs() + 1_000 * 3_600_000 * 24);
  expect(woken).toBe(1);
});

test('throttle runs the work at once, then once for all requests during the pause', async () => {
  const pauseMs = 20;
  const doneAtMs: number[] = [];
  let isOver = false;
  const work = throttle(pauseMs, () => {
    doneAtMs.push(performance.now());
    isOver = doneAtMs.length === 3;
    // A request during a run.
    if (doneAtMs.length === 2) work.run();
  });
  for (let i = 0; i < 10; i += 1) work.run();
  expect(doneAtMs).toHaveLength(1);
  await until(() => isOver, { what: 'three runs' });
  const [first = 0, second = 0, third = 0] = doneAtMs;
  // Timers count whole milliseconds.
  expect(second - first).toBeGreaterThan(pauseMs - 2);
  expect(third - second).toBeGreaterThan(pauseMs - 2);
  work.run();
  work[Symbol.dispose]();
  work.run();
  await new Promise((resolve) => setTimeout(resolve, 3 * pauseMs));
  expect(doneAtMs).toHaveLength(3);
});
