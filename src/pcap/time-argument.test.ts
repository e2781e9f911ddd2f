import { expect, test } from 'vitest';
import { parseTime } from './time-argument.ts';

const nowMs = Date.parse('2026-01-31T12:00:00.250Z');
const at = (time: string) => Date.parse(time) / 1_000;

test.each([
  ['2026-01-31T11:00:00Z', at('2026-01-31T11:00:00Z'), 0],
  ['2026-01-31t11:00:00z', at('2026-01-31T11:00:00Z'), 0],
  ['2026-01-31T11:00:00.000000001Z', at('2026-01-31T11:00:00Z'), 1],
  ['2026-01-31T11:00:00.5+02:00', at('2026-01-31T09:00:00Z'), 500_000_000],
  ['2024-02-29T00:00:00-01:30', at('2024-02-29T01:30:00Z'), 0],
  ['90s', at('2026-01-31T11:58:30Z'), 250_000_000],
  ['10m', at('2026-01-31T11:50:00Z'), 250_000_000],
  ['1h30m', at('2026-01-31T10:30:00Z'), 250_000_000],
  ['2d', at('2026-01-29T12:00:00Z'), 250_000_000],
  ['0s', at('2026-01-31T12:00:00Z'), 250_000_000],
])('%s is a time', (text, seconds, nanoseconds) => {
  expect(parseTime(text, nowMs)).toEqual({ seconds, nanoseconds });
});

test.each([
  '',
  'now',
  '10',
  '10x',
  'm',
  '-5m',
  '1m1h',
  '1.5h',
  '2026-01-31',
  '2026-01-31T11:00:00',
  '2026-02-30T11:00:00Z',
  '2026-01-31T25:00:00Z',
  '2026-01-31T11:00:00.1234567890Z',
  '99999999999999s',
])('%j is not a time', (text) => {
  expect(parseTime(text, nowMs)).toBeUndefined();
});
