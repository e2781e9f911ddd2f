import { expect, test } from 'vitest';
import { openPlainLog } from './plain-log.ts';

test('a line has no character that a terminal acts on, and is JSON with the same text', () => {
  const lines: string[] = [];
  const log = openPlainLog('info', { write: (line) => lines.push(line) });
  const hostile = '"\u001b[2J\u009b1m\r\u202e\u2028\u0007"';
  log.warn({ namespace: 'default', pod: 'web', message: hostile }, 'capture refused');
  log.debug({}, 'too fine');
  expect(lines).toHaveLength(1);
  expect(lines[0]).toMatch(/^[^\p{Cc}\p{Cf}\p{Zl}]+\n$/u);
  expect(JSON.parse(lines[0] ?? '')).toMatchObject({ message: hostile, msg: 'capture refused' });
});
