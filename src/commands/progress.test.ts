import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import { progressOn } from './progress.ts';

test.for([
  [0, 79],
  [20, 19],
] as const)(
  'of a terminal with %i columns, %i are used: a line that is wrapped would stay',
  async ([columns, used]) => {
    const stderr = Object.assign(new PassThrough(), { isTTY: true, columns });
    const progress = progressOn({ stdout: new PassThrough(), stderr }, { dataTo: 'file' });
    await expect
      .poll(() => {
        progress.show(() => 'x'.repeat(200));
        return String(stderr.read());
      })
      .toBe(`\r\u001b[K${'x'.repeat(used)}`);
  },
);
