import { expect, test } from 'vitest';
import { savedSize } from './saved-size.ts';

test.each([
  [1, '1 byte'],
  [999, '999 bytes'],
  [1_000, '1 kB'],
  [306_644, '307 kB'],
  [999_499, '999 kB'],
  [999_500, '1 MB'],
  [87_400_000, '87 MB'],
])('%i bytes are %s', (bytes, text) => {
  expect(savedSize(bytes)).toBe(text);
});
