import type { CommandLine } from '../../commands/command-line.ts';
import type { GivenArguments } from '../cli-command.ts';

/** What was given, as the commands in src/commands check it. */
export function givenValues({ positionals, flags, values }: GivenArguments): CommandLine {
  const texts = [...values].flatMap(([name, all]) => all.slice(-1).map((value) => [name, value] as const));
  const switches = [...flags].map((name) => [name, true] as const);
  return { kind: 'given', positionals, values: Object.fromEntries([...texts, ...switches]) };
}

/** The result of work that is not told when the command is to end; rejects with the signal's reason then. */
export async function unlessInterrupted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise: interrupted, reject } = Promise.withResolvers<never>();
  const interrupt = () => reject(signal.reason);
  if (signal.aborted) interrupt();
  signal.addEventListener('abort', interrupt, { once: true });
  try {
    return await Promise.race([work, interrupted]);
  } finally {
    signal.removeEventListener('abort', interrupt);
  }
}
