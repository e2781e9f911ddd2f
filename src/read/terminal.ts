import type { Writable } from 'node:stream';

/** What a command has of the process that it runs in. */
export type Terminal = {
  readonly env: NodeJS.ProcessEnv;
  readonly stdout: Writable & { readonly isTTY?: boolean };
  readonly stderr: Writable;
};

/** Exit codes as they are usual: 1 what was asked for is not there, 2 it was asked for in a wrong way. */
export const exitCodes = { done: 0, failed: 1, usage: 2 } as const;

/** Says on standard error what a person should know; gives back nothing. */
export function say(terminal: Terminal, message: string): void {
  terminal.stderr.write(`podcap: ${message}\n`);
}
