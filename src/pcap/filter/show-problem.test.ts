import { expect, test } from 'vitest';
import { showProblem } from './show-problem.ts';

test.each([
  ['behind the carets', 'port eighty', 5, 6, ['port eighty', '     ^^^^^^ wrong']],
  ['at the end of the text', 'tcp and', 7, 0, ['tcp and', '       ^ wrong']],
  ['in an empty text', '', 0, 0, ['', '^ wrong']],
  ['after wide characters', '日本 x', 3, 1, ['日本 x', '     ^ wrong']],
  ['on wide characters', 'x 😀本', 2, 3, ['x 😀本', '  ^^^^ wrong']],
  ['after a mark over a letter', 'e\u0301 x', 3, 1, ['e\u0301 x', '  ^ wrong']],
  ['on and after control characters', '\u001b[\n', 2, 1, ['\\u001b[\\u000a', '       ^^^^^^ wrong']],
  ['on half of a character', '😀x', 1, 1, ['😀x', '^^ wrong']],
])('the message is %s', (_where, text, at, length, lines) => {
  expect(showProblem(text, { at, length, message: 'wrong' }, 40).split('\n')).toEqual(lines);
});

test('a message that does not fit has its own line', () => {
  const message = 'a message of thirty characters';
  expect(showProblem('port x', { at: 5, length: 1, message }, 37)).toBe(`port x\n     ^ ${message}`);
  expect(showProblem('port x', { at: 5, length: 1, message }, 36)).toBe(`port x\n     ^\n${message}`);
});

test.each([
  ['start', 0, 3, ['abcdefghijklmnopqrstuv…', '^^^ wrong']],
  ['middle', 40, 3, ['…vwxyzabcdefghijklmnopq…', '                    ^^^']],
  ['end', 77, 1, ['…efghijklmnopqrstuvwxyz', '                      ^']],
  ['end, where something is missing', 78, 0, ['…efghijklmnopqrstuvwxyz', '                       ^']],
  ['whole text', 0, 78, ['abcdefghijklmnopqrstuv…', '^'.repeat(22)]],
])('a text that is too wide is cut around a problem at the %s', (_where, at, length, lines) => {
  const text = 'abcdefghijklmnopqrstuvwxyz'.repeat(3);
  const shown = showProblem(text, { at, length, message: 'wrong' }, 24).split('\n');
  expect(shown.slice(0, 2)).toEqual(lines);
});
