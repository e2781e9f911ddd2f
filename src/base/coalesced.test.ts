import { expect, test } from 'vitest';
import { coalesced } from './coalesced.ts';

test('runs once more for all requests during a run', async () => {
  let runs = 0;
  const gate = Promise.withResolvers<void>();
  const work = coalesced(
    async () => {
      runs += 1;
      await gate.promise;
    },
    () => {},
  );
  for (let i = 0; i < 10; i += 1) work.run();
  gate.resolve();
  await work.settled();
  expect(runs).toBe(2);
});

test('reports an error, and the next request runs again', async () => {
  const errors: unknown[] = [];
  let runs = 0;
  const work = coalesced(
    async () => {
      runs += 1;
      if (runs === 1) throw new Error('once');
    },
    (error) => errors.push(error),
  );
  work.run();
  await work.settled();
  work.run();
  await work.settled();
  expect(errors).toEqual([new Error('once')]);
  expect(runs).toBe(2);
});
