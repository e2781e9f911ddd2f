import { expect, test } from 'vitest';
import { sharedWork } from './shared-work.ts';

const { signal: never } = new AbortController();

/** Work that a test ends, and a record of what was started and aborted. */
function heldWork() {
  const started: string[] = [];
  const aborted: string[] = [];
  let run = Promise.withResolvers<string>();
  const shared = sharedWork((key, signal) => {
    run = Promise.withResolvers<string>();
    started.push(key);
    signal.addEventListener('abort', () => aborted.push(key));
    return run.promise;
  });
  return {
    shared,
    started,
    aborted,
    end: (result: string) => run.resolve(result),
    fail: () => run.reject(new Error('failed')),
  };
}

test('runs once for everyone who asks for the same at the same time, and again after that', async () => {
  const { shared, started, end } = heldWork();
  const asked = [shared('a', never), shared('a', never), shared('a', never)];
  end('result');
  expect(await Promise.all(asked)).toEqual(['result', 'result', 'result']);
  expect(started).toEqual(['a']);
  const again = shared('a', never);
  end('another');
  expect(await again).toBe('another');
  expect(started).toEqual(['a', 'a']);
});

test('runs apart for different keys', async () => {
  const shared = sharedWork(async (key) => key);
  expect(await Promise.all([shared('a', never), shared('b', never)])).toEqual(['a', 'b']);
});

test('passes an error on to everyone, and runs again after it', async () => {
  const { shared, started, end, fail } = heldWork();
  const asked = [shared('a', never), shared('a', never)];
  fail();
  expect((await Promise.allSettled(asked)).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  const again = shared('a', never);
  end('result');
  expect(await again).toBe('result');
  expect(started).toHaveLength(2);
});

test('goes on while one of those who asked still waits', async () => {
  const { shared, aborted, end } = heldWork();
  const leaving = new AbortController();
  const left = shared('a', leaving.signal);
  const stays = shared('a', never);
  leaving.abort(new Error('not wanted'));
  await expect(left).rejects.toThrow('not wanted');
  expect(aborted).toEqual([]);
  end('result');
  expect(await stays).toBe('result');
});

test('is aborted when its last caller leaves, and the next caller gets a run of its own', async () => {
  const { shared, started, aborted, end } = heldWork();
  const leaving = new AbortController();
  const left = [shared('a', leaving.signal), shared('a', leaving.signal)];
  leaving.abort(new Error('not wanted'));
  await Promise.allSettled(left);
  expect(aborted).toEqual(['a']);
  const next = shared('a', never);
  expect(started).toEqual(['a', 'a']);
  end('result');
  expect(await next).toBe('result');
});

test('starts nothing for a signal that has aborted', async () => {
  const { shared, started } = heldWork();
  await expect(shared('a', AbortSignal.abort(new Error('not wanted')))).rejects.toThrow('not wanted');
  expect(started).toEqual([]);
});
