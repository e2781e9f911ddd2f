import { expect, test } from 'vitest';
import { warningTexts } from './warning-texts.ts';

test.each([
  [['299 - "a"'], ['a']],
  [['299 - "a \\"b\\" \\\\"'], ['a "b" \\']],
  [
    ['299 - "a", 299 - "b, c"', '299 podcap "d"'],
    ['a', 'b, c', 'd'],
  ],
  [['110 - "stale"', 'nonsense', ''], []],
  [['299 - "a\u001b"'], ['a\\u001b']],
])('%j says %j', (headers, texts) => {
  expect(warningTexts(headers)).toEqual(texts);
});
