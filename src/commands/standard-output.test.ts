import { once } from 'node:events';
import { openSync } from 'node:fs';
import { constants, type FileHandle, open } from 'node:fs/promises';
import { Socket } from 'node:net';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { afterEach, expect, test, vi } from 'vitest';
import { run } from '../testbed/run-program.ts';
import { temporaryFolder } from '../testbed/temporary-folder.ts';
import { outputTo } from './standard-output.ts';

const pipeBytes = 65_536;
const pageBytes = 4_096;

afterEach(() => vi.useRealTimers());

test('gives up when nobody reads the pipe', async () => {
  await using pipe = await realPipe();
  using output = outputTo(pipe.stream, { unreadMs: 50 });
  expect(await output.write(Buffer.alloc(pipeBytes))).toBe('written');
  expect(await output.write(Buffer.alloc(1))).toBe('unread');
});

test('goes on when the reader of a full pipe takes as little as the kernel lets go of', async () => {
  await using pipe = await realPipe();
  using output = outputTo(pipe.stream, { unreadMs: 60_000 });
  await output.write(Buffer.alloc(pipeBytes));
  const written = output.write(Buffer.alloc(pageBytes));
  expect((await pipe.reader.read(Buffer.alloc(pageBytes))).bytesRead).toBe(pageBytes);
  expect(await written).toBe('written');
});

test('ends when the reader closes a full pipe', async () => {
  await using pipe = await realPipe();
  using output = outputTo(pipe.stream, { unreadMs: 60_000 });
  await output.write(Buffer.alloc(pipeBytes));
  const written = output.write(Buffer.alloc(1));
  await pipe.reader.close();
  expect(await written).toBe('closed');
  expect(await output.write(Buffer.alloc(1))).toBe('closed');
});

test('the deadline starts again with each piece that the reader takes', async () => {
  vi.useFakeTimers();
  const taken: (() => void)[] = [];
  const stream = new Writable({ write: (_chunk, _encoding, done) => void taken.push(done) });
  using output = outputTo(stream, { unreadMs: 60_000 });
  let written: string | undefined;
  const writing = output.write(Buffer.alloc(3 * pageBytes)).then((result) => {
    written = result;
  });
  for (let piece = 0; piece < 2; piece += 1) {
    await vi.advanceTimersByTimeAsync(59_999);
    taken.shift()?.();
  }
  await vi.advanceTimersByTimeAsync(59_999);
  expect(written).toBeUndefined();
  await vi.advanceTimersByTimeAsync(1);
  await writing;
  expect(written).toBe('unread');
});

test('gives up a reader that must keep up, and takes less than 64 KiB/s', async () => {
  vi.useFakeTimers();
  for (const [bytesPerSecond, expected] of [
    [15 * pageBytes, 'unread'],
    [17 * pageBytes, 'written'],
  ] as const) {
    const stream = new Writable({
      write: (chunk: Buffer, _encoding, done) =>
        void setTimeout(done, (1_000 * chunk.length) / bytesPerSecond),
    });
    using output = outputTo(stream, { unreadMs: 60_000, mustKeepUp: true });
    const written = output.write(Buffer.alloc(120 * bytesPerSecond));
    await vi.advanceTimersByTimeAsync(130_000);
    expect(await written).toBe(expected);
  }
});

test('time in which there is nothing to write does not count', async () => {
  vi.useFakeTimers();
  const stream = new Writable({ write: (_chunk, _encoding, done) => done() });
  using output = outputTo(stream, { unreadMs: 60_000 });
  await vi.advanceTimersByTimeAsync(120_000);
  expect(await output.write(Buffer.alloc(1))).toBe('written');
});

/** A pipe as a container runtime gives it to the program that it runs. */
async function realPipe(): Promise<
  AsyncDisposable & { readonly reader: FileHandle; readonly stream: Writable }
> {
  const folder = await temporaryFolder();
  const path = join(folder.path, 'pipe');
  await run(['mkfifo', path]);
  const reader = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const stream = new Socket({ fd: openSync(path, constants.O_WRONLY), readable: false, writable: true });
  return {
    reader,
    stream,
    async [Symbol.asyncDispose]() {
      // A write that failed has closed it.
      const closed = stream.closed ? undefined : once(stream, 'close');
      stream.destroy();
      await closed;
      await reader.close();
      await folder[Symbol.asyncDispose]();
    },
  };
}
