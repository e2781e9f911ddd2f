import { expect, test } from 'vitest';
import { humanBytes, humanDuration } from './human-units.ts';

const [second, minute, hour, day] = [1_000, 60_000, 3_600_000, 86_400_000];

test.each([
  [-5 * second, '<invalid>'],
  [-1 * second, '0s'],
  [0, '0s'],
  [119.9 * second, '119s'],
  [2 * minute, '2m'],
  [4 * minute + 30 * second, '4m30s'],
  [10 * minute + 59 * second, '10m'],
  [179 * minute, '179m'],
  [3 * hour, '3h'],
  [7 * hour + 5 * minute, '7h5m'],
  [8 * hour + 5 * minute, '8h'],
  [47 * hour, '47h'],
  [3 * day + 5 * hour, '3d5h'],
  [8 * day + 5 * hour, '8d'],
  [729 * day, '729d'],
  [800 * day, '2y70d'],
  [9 * 365 * day, '9y'],
])('writes %d ms as %s', (ms, expected) => {
  expect(humanDuration(ms)).toBe(expected);
});

test.each([
  [0, '0'],
  [1_023, '1023'],
  [1_024, '1Ki'],
  [1_434, '1.4Ki'],
  [10_188, '9.9Ki'],
  [10_200, '10Ki'],
  [1_048_575, '1Mi'],
  [87 * 1_024 ** 2, '87Mi'],
  [5.25 * 1_024 ** 3, '5.3Gi'],
  [3 * 1_024 ** 4, '3Ti'],
])('writes %d bytes as %s', (bytes, expected) => {
  expect(humanBytes(bytes)).toBe(expected);
});
