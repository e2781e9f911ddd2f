import type { Writable } from 'node:stream';

/** The parts of the process that a command uses. */
export type Terminal = {
  readonly env: NodeJS.ProcessEnv;
  readonly stdout: Writable & { readonly isTTY?: boolean };
  readonly stderr: Writable;
};

/** The usual exit codes: 1 if the command fails, for example without such a Pod, 2 for a wrong command line. */
export const exitCodes = { done: 0, failed: 1, usage: 2 } as const;

/** Prints a message to standard error. */
export function printMessage(terminal: Terminal, message: string): void {
  terminal.stderr.write(`podcap: ${message}\n`);
}
