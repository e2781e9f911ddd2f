import type { CliCommand } from './cli-command.ts';
import { completionCommand } from './completion/completion-command.ts';
import { versionCommand } from './version/version-command.ts';

/** The commands, in the order in which the help lists them. */
export const cliCommands: readonly CliCommand[] = [completionCommand, versionCommand];
