import * as v from 'valibot';
import { expect, test } from 'vitest';
import { figures } from '../all-figures.ts';
import { readResults, resultSchema } from './result.ts';
import { median } from './statistics.ts';

test('each result file fits the schema and belongs to an existing figure', async () => {
  const results = await readResults();
  const names = figures.map(({ name }) => name);
  expect(results).not.toEqual([]);
  for (const { figure } of results) expect(names).toContain(figure);
});

test('the summary of each row matches its values', async () => {
  for (const { rows } of await readResults())
    for (const row of rows) {
      expect(row.runs).toBe(row.values.length);
      expect(row.median).toBeCloseTo(median(row.values), 9);
      expect([row.min, row.max]).toEqual([Math.min(...row.values), Math.max(...row.values)]);
    }
});

test('the schema refuses unknown keys and a result without rows', async () => {
  const [result] = await readResults();
  expect(v.is(resultSchema, result)).toBe(true);
  expect(v.is(resultSchema, { ...result, unti: 'ms' })).toBe(false);
  expect(v.is(resultSchema, { ...result, rows: [] })).toBe(false);
});
