import type { CliCommand } from './cli-command.ts';
import { completionCommand } from './completion/completion-command.ts';
import { mergeCommand } from './files/merge-command.ts';
import { showCommand } from './files/show-command.ts';
import { liveCommand } from './live/live-command.ts';
import { discardCommand } from './request/discard-command.ts';
import { freezeCommand } from './request/freeze-command.ts';
import { startCommand } from './request/start-command.ts';
import { stopCommand } from './request/stop-command.ts';
import { saveCommand } from './save/save-command.ts';
import { versionCommand } from './version/version-command.ts';
import { checkCommand } from './views/check/check-command.ts';
import { listCommand } from './views/list-command.ts';

/** The commands, in the order in which the help lists them. */
export const cliCommands: readonly CliCommand[] = [
  listCommand,
  startCommand,
  stopCommand,
  discardCommand,
  saveCommand,
  liveCommand,
  freezeCommand,
  mergeCommand,
  showCommand,
  checkCommand,
  completionCommand,
  versionCommand,
];
