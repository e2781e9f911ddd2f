import type { Socket } from 'node:net';
import type { Writable } from 'node:stream';
import { hasCode } from '../base/fs-errors.ts';
import type { MergeEnd } from '../pcap/merge/merge-captures.ts';
import { createOutputFile, type OutputFile, type OutputFileOptions } from './output-file.ts';
import { outputTo } from './standard-output.ts';
import {
  cannotWrite,
  exitCodes,
  pausedUnreadSeconds,
  printMessage,
  type Terminal,
  unreadMessage,
} from './terminal.ts';

/** Where a command writes a capture: a file that has its name only when it is complete, or standard output. */
export type CaptureOutput = AsyncDisposable & {
  /** Whatever keeps the output from being written is a value. */
  readonly write: (bytes: Uint8Array) => Promise<Writing>;
  readonly complete: () => Promise<Writing>;
};

/** `closed`: the reader of the output has enough. */
export type Writing =
  | { readonly kind: 'written' }
  | { readonly kind: 'closed' }
  | { readonly kind: 'failed'; readonly message: string };

/** The message names the file. */
export type OpenedOutput =
  | { readonly kind: 'open'; readonly output: CaptureOutput }
  | { readonly kind: 'unusable'; readonly message: string; readonly exitCode: number };

/** Opens the output; `-` is standard output. Throws the reason of the signal, which ends the wait for the reader of a pipe. */
export async function openCaptureOutput(
  to: string,
  terminal: Terminal,
  options: OutputFileOptions = {},
): Promise<OpenedOutput> {
  if (to === '-')
    return terminal.stdout.isTTY === true
      ? onTerminal
      : { kind: 'open', output: captureToStandardOutput(terminal, pausedUnreadSeconds) };
  try {
    const onWaiting = () =>
      printMessage(terminal, `${to} is a pipe that nothing reads: waiting for its reader`);
    const file = await createOutputFile(to, { onWaiting, ...options });
    switch (file.kind) {
      case 'open':
        return { kind: 'open', output: fileOutput(file, to) };
      case 'pipe':
        return { kind: 'open', output: pipeOutput(file.pipe, to) };
      case 'exists':
        return { kind: 'unusable', message: alreadyThere(file.partPath), exitCode: exitCodes.failed };
      case 'taken':
        return { kind: 'unusable', message: taken(to), exitCode: exitCodes.failed };
      case 'terminal':
        return onTerminal;
    }
  } catch (error) {
    options.signal?.throwIfAborted();
    return { kind: 'unusable', message: cannotWrite(to, error), exitCode: exitCodes.failed };
  }
}

/** Standard output, which is given up when it has not been read for this long, or hardly if its reader must keep up. */
export function captureToStandardOutput(
  { stdout }: Terminal,
  unreadSeconds: number,
  { mustKeepUp = false } = {},
): CaptureOutput {
  return streamOutput(stdout, { name: 'standard output', unreadSeconds, mustKeepUp });
}

type StreamOutput = {
  readonly name: string;
  readonly unreadSeconds: number;
  readonly mustKeepUp?: boolean;
};

function streamOutput(
  stream: Writable,
  { name, unreadSeconds, mustKeepUp = false }: StreamOutput,
): CaptureOutput {
  const output = outputTo(stream, { unreadMs: unreadSeconds * 1_000, mustKeepUp });
  return {
    write: (bytes) =>
      attempt(name, async () => {
        const written = await output.write(bytes);
        return written === 'unread'
          ? { kind: 'failed', message: unreadMessage(unreadSeconds) }
          : { kind: written };
      }),
    complete: async () => ({ kind: 'written' }),
    [Symbol.asyncDispose]: async () => output[Symbol.dispose](),
  };
}

function pipeOutput(pipe: Socket, name: string): CaptureOutput {
  const output = streamOutput(pipe, { name, unreadSeconds: pausedUnreadSeconds });
  return {
    ...output,
    async [Symbol.asyncDispose]() {
      await output[Symbol.asyncDispose]();
      pipe.destroy();
    },
  };
}

/** Writes a capture to its end, or until the output takes no more. `onWritten` gets the bytes so far. */
export async function writeCapture(
  chunks: AsyncGenerator<Uint8Array, MergeEnd>,
  output: CaptureOutput,
  onWritten: (bytes: number) => void = () => {},
): Promise<MergeEnd | Exclude<Writing, { readonly kind: 'written' }>> {
  let writtenBytes = 0;
  let writing: Promise<Writing> = Promise.resolve({ kind: 'written' });
  for (;;) {
    // Merged while the chunk before it is written. Errors are thrown when they are awaited.
    const merging = chunks.next();
    merging.catch(() => {});
    const written = await writing;
    if (written.kind !== 'written') return written;
    const chunk = await merging;
    if (chunk.done) return await completed(chunk.value, output);
    writing = output.write(chunk.value);
    writing.catch(() => {});
    writtenBytes += chunk.value.length;
    onWritten(writtenBytes);
  }
}

async function completed(
  end: MergeEnd,
  output: CaptureOutput,
): Promise<MergeEnd | Exclude<Writing, { readonly kind: 'written' }>> {
  if (end.kind === 'problem') return end;
  const completing = await output.complete();
  return completing.kind === 'written' ? end : completing;
}

const onTerminal: OpenedOutput = {
  kind: 'unusable',
  message: 'a capture file cannot be shown on a terminal: redirect the output, or use --to <file>',
  exitCode: exitCodes.usage,
};

function fileOutput(file: OutputFile, to: string): CaptureOutput {
  return {
    write: (bytes) => attempt(to, () => done(file.write(bytes))),
    complete: () => attempt(to, () => done(file.complete())),
    [Symbol.asyncDispose]: () => file[Symbol.asyncDispose](),
  };
}

async function done(work: Promise<void>): Promise<Writing> {
  await work;
  return { kind: 'written' };
}

async function attempt(name: string, work: () => Promise<Writing>): Promise<Writing> {
  try {
    return await work();
  } catch (error) {
    // A pipe that is named as a file has a reader as standard output has.
    if (hasCode(error, 'EPIPE')) return { kind: 'closed' };
    const message = hasCode(error, 'EEXIST') ? takenMeanwhile(name) : cannotWrite(name, error);
    return { kind: 'failed', message };
  }
}

function alreadyThere(partPath: string): string {
  return `${partPath} is already there: another podcap writes it now, or was killed while it did. In that case, delete it`;
}

function taken(to: string): string {
  return `${to} is already there: give another name with --to, or --overwrite to replace it`;
}

function takenMeanwhile(to: string): string {
  return `another program has made ${to} meanwhile: what was to be written is complete in ${to}.part`;
}
