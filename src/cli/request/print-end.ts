import { printMessage } from '../../commands/terminal.ts';
import type { CommandContext } from '../cli-command.ts';
import type { CommandEnd } from './ask-pods.ts';

/** Prints what is said besides the outcomes. Returns the exit code; throws the signal's reason if it was interrupted. */
export function printEnd(
  { hints, code }: CommandEnd,
  { terminal, signal }: Pick<CommandContext, 'terminal' | 'signal'>,
): number {
  for (const hint of hints) printMessage(terminal, hint);
  signal.throwIfAborted();
  return code;
}
