import type { CliCommand } from './cli-command.ts';

/** The commands, in the order in which the help lists them. */
export const cliCommands: readonly CliCommand[] = [];
