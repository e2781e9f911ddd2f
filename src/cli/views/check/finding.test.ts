import { expect, test } from 'vitest';
import { type Finding, findingText } from './finding.ts';

const finding: Finding = {
  status: 'fix',
  subject: 'save',
  text: 'you may not download\ncaptures: ask\u001b[2J an administrator',
};

test('in a pipe, a finding is one line', () => {
  expect(findingText(finding, { hasColours: false, columns: undefined })).toBe(
    `${String.raw`fix   save            you may not download captures: ask\u001b[2J an administrator`}\n`,
  );
});

test('on a terminal, it goes on under itself', () => {
  expect(findingText(finding, { hasColours: true, columns: 50 })).toBe(
    [
      '\u001b[31mfix\u001b[39m   save            you may not download',
      `${' '.repeat(22)}${String.raw`captures: ask\u001b[2J an`}`,
      `${' '.repeat(22)}administrator`,
      '',
    ].join('\n'),
  );
});

test('on a narrow one, below its subject', () => {
  const lines = findingText(finding, { hasColours: false, columns: 40 }).split('\n');
  expect(lines[0]).toBe('fix   save');
  expect(lines[1]).toBe('  you may not download captures:');
});

test('a long subject', () => {
  const text = findingText(
    { status: 'ok', subject: 'x'.repeat(30), text: 'a' },
    { hasColours: false, columns: 80 },
  );
  expect(text).toBe(`ok    ${'x'.repeat(30)} a\n`);
});
