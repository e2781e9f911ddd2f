import { createInterface } from 'node:readline';
import type { CliTerminal } from '../cli-command.ts';

/** Whether there is somebody to ask. */
export function canAsk({ stdin, stderr }: CliTerminal): boolean {
  return stdin.isTTY === true && stderr.isTTY === true;
}

/** Asks on the terminal, until a line is typed or the input ends. Everything but yes is no. Throws the signal's reason. */
export async function confirm(
  question: string,
  { stdin, stderr }: CliTerminal,
  signal: AbortSignal,
): Promise<boolean> {
  stderr.write(`${question} [y/N] `);
  // Not a terminal for readline, which would take Ctrl-C for itself.
  const lines = createInterface({ input: stdin, terminal: false, signal });
  try {
    for await (const line of lines) return /^\s*y(es)?\s*$/i.test(line);
  } finally {
    lines.close();
  }
  // What comes next begins a line of its own.
  stderr.write('\n');
  signal.throwIfAborted();
  return false;
}
