import type { Writable } from 'node:stream';
import { hasCode, isSystemError } from '../base/fs-errors.ts';
import { plainText } from '../base/plain-text.ts';
import { outputTo } from './standard-output.ts';

/** The parts of the process that a command uses. */
export type Terminal = {
  readonly env: NodeJS.ProcessEnv;
  /** `columns`: how wide a terminal is; 0 or undefined if that is not known. */
  readonly stdout: Writable & { readonly isTTY?: boolean; readonly columns?: number };
  readonly stderr: Writable & { readonly isTTY?: boolean; readonly columns?: number };
};

/**
 * The usual exit codes: 1 if the command fails, for example without such a Pod, 2 for a wrong command line. 3 if it is
 * done, but packets are missing in the result.
 */
export const exitCodes = { done: 0, failed: 1, usage: 2, incomplete: 3 } as const;

/** An output that has not been read for this long is given up, unless the user sets another time. */
export const defaultUnreadSeconds = 60;

/** For an output that people read, who pause: between two pages, or in a Wireshark that reads a pipe. */
export const pausedUnreadSeconds = 3_600;

/**
 * Prints a message to standard error. Its lines have no character that a terminal acts on. All but the first are
 * indented, because names in it can come from a capture: a line feed in one makes no message of its own.
 */
export function printMessage(terminal: Terminal, message: string): void {
  terminal.stderr.write(`podcap: ${message.split('\n').map(plainText).join(`\n${messageIndent}`)}\n`);
}

export const messageIndent = '  ';

/** Says why a command fails. Returns the exit code. */
export function fail(terminal: Terminal, message: string): number {
  printMessage(terminal, message);
  return exitCodes.failed;
}

/** Prints a text to standard output. Returns the exit code. */
export async function printText(terminal: Terminal, text: string): Promise<number> {
  using output = outputTo(terminal.stdout, { unreadMs: defaultUnreadSeconds * 1_000 });
  try {
    if ((await output.write(Buffer.from(text))) !== 'unread') return exitCodes.done;
    printMessage(terminal, unreadMessage(defaultUnreadSeconds));
  } catch (error) {
    printMessage(terminal, cannotWrite('standard output', error));
  }
  return exitCodes.failed;
}

/** Why an input cannot be read. Throws what is no error of a system call. */
export function cannotRead(name: string, error: unknown): string {
  if (!isSystemError(error)) throw error;
  return hasCode(error, 'ENOENT') ? `${name} does not exist` : `${name} cannot be read: ${error.message}`;
}

/** Why an output cannot be written. Throws what is no error of a system call. */
export function cannotWrite(name: string, error: unknown): string {
  if (!isSystemError(error)) throw error;
  return `${name} cannot be written: ${error.message}`;
}

/** The process ends, because the other end of `kubectl exec` may be gone without closing anything. */
export function unreadMessage(seconds: number): string {
  return `the output has not been read for ${seconds} s`;
}
