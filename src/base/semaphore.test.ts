import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { semaphore } from './semaphore.ts';

const { signal: never } = new AbortController();

test('never runs more than permitted, runs everything in order, and passes results and errors on', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.scheduler(),
      fc.integer({ min: 1, max: 4 }),
      fc.array(fc.boolean(), { maxLength: 12 }),
      async (scheduler, permits, fails) => {
        const limit = semaphore(permits);
        const started: number[] = [];
        let running = 0;
        const works = fails.map((isError, number) =>
          limit(async () => {
            started.push(number);
            running += 1;
            expect(running).toBeLessThanOrEqual(permits);
            await scheduler.schedule(Promise.resolve(), `work ${number}`);
            running -= 1;
            if (isError) throw new Error(`${number}`);
            return number;
          }, never),
        );
        const settled = Promise.allSettled(works);
        await scheduler.waitFor(settled);
        expect((await settled).map(({ status }) => status === 'rejected')).toEqual(fails);
        expect(started).toEqual(fails.map((_, number) => number));
      },
    ),
  );
});

describe('work that is aborted', () => {
  test('while it waits is not run, and takes no permit', async () => {
    const limit = semaphore(1);
    const first = Promise.withResolvers<void>();
    const aborting = new AbortController();
    const ran: string[] = [];
    const works = [
      limit(() => first.promise, never),
      limit(async () => ran.push('aborted'), aborting.signal),
      limit(async () => ran.push('next'), never),
    ];
    aborting.abort(new Error('not wanted'));
    await expect(works[1]).rejects.toThrow('not wanted');
    first.resolve();
    await works[2];
    expect(ran).toEqual(['next']);
  });

  test('before it is requested is not run', async () => {
    const limit = semaphore(1);
    await expect(limit(async () => 'ran', AbortSignal.abort(new Error('not wanted')))).rejects.toThrow(
      'not wanted',
    );
    expect(await limit(async () => 'ran', never)).toBe('ran');
  });

  test('as it gets its permit does not keep it', async () => {
    const limit = semaphore(1);
    const first = Promise.withResolvers<void>();
    const aborting = new AbortController();
    const running = limit(() => first.promise, never);
    const aborted = limit(async () => 'ran', aborting.signal);
    first.resolve();
    await running;
    aborting.abort(new Error('too late'));
    await Promise.allSettled([aborted]);
    expect(await limit(async () => 'next', never)).toBe('next');
  });
});
