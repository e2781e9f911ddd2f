import { expect, test, vi } from 'vitest';
import { type LastingEnd, lastingEnd } from './lasting-end.ts';
import { until } from './until.ts';

test('work resolves or rejects as it does before the end', async () => {
  const { unlessEnded } = lastingEnd();
  expect(await unlessEnded(Promise.resolve(5))).toBe(5);
  await expect(unlessEnded(Promise.reject(new Error('no')))).rejects.toThrow('no');
});

test('work that is not done by the end resolves to undefined, and so does all later work that takes time', async () => {
  const { unlessEnded, come } = lastingEnd();
  const never = new Promise<number>(() => {});
  const results = [unlessEnded(never), unlessEnded(never)];
  come();
  expect(await Promise.all(results)).toEqual([undefined, undefined]);
  expect(await unlessEnded(never)).toBeUndefined();
  expect(await unlessEnded(Promise.resolve(5))).toBe(5);
});

test('nothing of work that is done stays behind', async () => {
  const { unlessEnded } = lastingEnd();
  const collected = vi.fn<() => void>();
  const registry = new FinalizationRegistry(collected);
  await waitForResult(unlessEnded, registry);
  const collect = () => {
    // Memory is collected when much of it is needed.
    Array.from({ length: 100_000 }, () => ({}));
    return collected.mock.calls.length > 0;
  };
  expect(await until(collect, { what: 'the result to be collected' })).toBe(true);
  await unlessEnded(Promise.resolve());
});

async function waitForResult(
  unlessEnded: LastingEnd['unlessEnded'],
  registry: FinalizationRegistry<undefined>,
): Promise<void> {
  const result = { large: Buffer.alloc(1_000_000) };
  registry.register(result, undefined);
  await unlessEnded(Promise.resolve(result));
}
