import type { CliCommand } from './cli-command.ts';
import { completionCommand } from './completion/completion-command.ts';

/** The commands, in the order in which the help lists them. */
export const cliCommands: readonly CliCommand[] = [completionCommand];
