import { expect, test } from 'vitest';
import type { Figure, Row } from '../figure.ts';
import { tableOf } from './table.ts';

const figure: Figure = {
  name: 'start-latency',
  unit: 'ms',
  goal: 'median <= 50',
  runs: 3,
  needs: 'network',
  measure: () => Promise.reject(new Error('is not measured in this test')),
};
const row: Row = {
  variant: 'podcap',
  parameter: 'running Pod',
  median: 31,
  min: 25,
  max: 140,
  runs: 3,
  values: [],
};

test('omits a column that is empty in every row', () => {
  expect(tableOf(figure, { isReached: true, rows: [row] })).toBe(
    [
      'start-latency (ms); goal: median <= 50: reached',
      '  variant  parameter    min  median  max  runs',
      '  podcap   running Pod   25      31  140     3',
    ].join('\n'),
  );
});

test('rounds numbers, and shows when a goal is missed', () => {
  expect(tableOf(figure, { isReached: false, rows: [{ ...row, p99: 1 / 3 }] })).toBe(
    [
      'start-latency (ms); goal: median <= 50: missed',
      '  variant  parameter    min  median    p99  max  runs',
      '  podcap   running Pod   25      31  0.333  140     3',
    ].join('\n'),
  );
});

test('puts a remark at the end of the line', () => {
  const rows = [{ ...row, remark: '3 of 3 whole' }, row];
  expect(tableOf(figure, { isReached: true, rows }).split('\n').slice(2)).toEqual([
    '  podcap   running Pod   25      31  140     3  3 of 3 whole',
    '  podcap   running Pod   25      31  140     3',
  ]);
});

test('shows a ratio with its bounds', () => {
  const ratio = { median: 0.22, low: 0.2051, high: 0.25, confidence: 0.95, to: 'nothing' };
  const table = tableOf(figure, { isReached: true, rows: [{ ...row, ratio }] });
  expect(table).toContain('0.22 (0.205 to 0.25)     3');
});
