import type { CliCommand } from './cli-command.ts';
import { completionCommand } from './completion/completion-command.ts';
import { mergeCommand } from './files/merge-command.ts';
import { showCommand } from './files/show-command.ts';
import { liveCommand } from './live/live-command.ts';
import { saveCommand } from './save/save-command.ts';
import { versionCommand } from './version/version-command.ts';

/** The commands, in the order in which the help lists them. */
export const cliCommands: readonly CliCommand[] = [
  saveCommand,
  liveCommand,
  mergeCommand,
  showCommand,
  completionCommand,
  versionCommand,
];
