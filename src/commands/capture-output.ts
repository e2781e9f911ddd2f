import { createOutputFile } from './output-file.ts';
import { outputTo, type Written } from './standard-output.ts';
import { defaultUnreadSeconds, type Terminal } from './terminal.ts';

/** Where a command writes a capture: a file that has its name only when it is complete, or standard output. */
export type CaptureOutput = AsyncDisposable & {
  readonly write: (bytes: Uint8Array) => Promise<Written>;
  readonly complete: () => Promise<void>;
};

/** The message names the file. */
export type OpenedOutput =
  | { readonly kind: 'open'; readonly output: CaptureOutput }
  | { readonly kind: 'unusable'; readonly message: string };

/** Opens the output; `-` is standard output. */
export async function openCaptureOutput(to: string, terminal: Terminal): Promise<OpenedOutput> {
  if (to === '-') return { kind: 'open', output: standardOutput(terminal) };
  try {
    const file = await createOutputFile(to);
    if ('kind' in file) return { kind: 'unusable', message: alreadyThere(file.partPath) };
    return {
      kind: 'open',
      output: {
        async write(bytes) {
          await file.write(bytes);
          return 'written';
        },
        complete: file.complete,
        [Symbol.asyncDispose]: () => file[Symbol.asyncDispose](),
      },
    };
  } catch (error) {
    if (!(error instanceof Error && 'syscall' in error)) throw error;
    return { kind: 'unusable', message: `the output cannot be written: ${error.message}` };
  }
}

function standardOutput({ stdout }: Terminal): CaptureOutput {
  const output = outputTo(stdout, { unreadMs: defaultUnreadSeconds * 1_000 });
  return {
    write: output.write,
    complete: async () => {},
    [Symbol.asyncDispose]: async () => output[Symbol.dispose](),
  };
}

function alreadyThere(partPath: string): string {
  return `${partPath} is already there: another podcap writes it now, or was killed while it did. In that case, delete it`;
}
