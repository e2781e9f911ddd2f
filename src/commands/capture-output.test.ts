import { PassThrough, Writable } from 'node:stream';
import { afterEach, expect, test, vi } from 'vitest';
import { openCaptureOutput } from './capture-output.ts';

afterEach(() => vi.useRealTimers());

test('standard output waits for a reader that pauses, and is given up after an hour', async () => {
  vi.useFakeTimers();
  const stdout = new Writable({ write: () => {} });
  const opened = await openCaptureOutput('-', { env: {}, stdout, stderr: new PassThrough() });
  if (opened.kind !== 'open') throw new Error(opened.message);
  await using output = opened.output;
  let written: unknown;
  const writing = output.write(Buffer.from('a')).then((result) => {
    written = result;
  });
  await vi.advanceTimersByTimeAsync(3_599_999);
  expect(written).toBeUndefined();
  await vi.advanceTimersByTimeAsync(1);
  await writing;
  expect(written).toEqual({ kind: 'failed', message: 'the output has not been read for 3600 s' });
});
