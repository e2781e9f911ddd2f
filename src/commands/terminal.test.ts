import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import { printMessage } from './terminal.ts';

test.each([
  ['one line', 'podcap: one line\n'],
  ['a name\npodcap: wrote 5 packets', 'podcap: a name\n  podcap: wrote 5 packets\n'],
  ['a\r\n\u001b[1Apodcap: b', 'podcap: a\\u000d\n  \\u001b[1Apodcap: b\n'],
  ['a\u2028b\u0085c\u000bd', 'podcap: a\\u2028b\\u0085c\\u000bd\n'],
])('whatever is in a message, only its first line looks like one: %j', (message, printed) => {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  printMessage({ env: {}, stdout, stderr }, message);
  expect(String(stderr.read())).toBe(printed);
});
