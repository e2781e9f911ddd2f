import { expect, test } from 'vitest';
import { characterAt } from './character-at.ts';

test.each([
  ['ab', 1, 'b'],
  ['a😀b', 1, '😀'],
  ['a😀b', 2, '\ude00'],
  ['a\ud83d', 1, '\ud83d'],
  ['a\ud83db', 1, '\ud83d'],
  ['', 0, ''],
])('the character of %j at %i is %j', (text, at, character) => expect(characterAt(text, at)).toBe(character));

test('half of a pair at the end of a slice stays half of one, when the code is optimized as well', () => {
  const lengths = new Set<number>();
  for (let round = 0; round < 20_000; round += 1) {
    const whole = `a text that is long enough 😀 ${round}`;
    lengths.add(characterAt(whole.slice(0, 28), 27).length);
  }
  expect([...lengths]).toEqual([1]);
});
