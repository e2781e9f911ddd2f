import { nearestWord } from '../base/nearest-word.ts';
import { listCommand } from './list.ts';
import { mergeCommand } from './merge.ts';
import { readCommand } from './read.ts';
import { showCommand } from './show.ts';
import { showParts } from './show-parts.ts';
import { exitCodes, printMessage } from './terminal.ts';

type Command = (args: readonly string[]) => Promise<number>;

const commands: ReadonlyMap<string, Command> = new Map<string, Command>([
  ['list', (args) => listCommand(args, process)],
  ['read', (args) => readCommand(args, process)],
  ['merge', (args) => mergeCommand(args, process)],
  ['show', (args) => showCommand(args, process, showParts(process.stdin))],
]);

/** Runs the command that the first argument names. */
async function main([name = '', ...args]: readonly string[]): Promise<void> {
  const command = commands.get(name);
  if (command === undefined) {
    const known = [...commands.keys()];
    const near = nearestWord(name, known);
    const help = near === undefined ? `the commands are ${known.join(', ')}` : `did you mean ${near}?`;
    printMessage(process, `there is no command ${JSON.stringify(name)}: ${help}`);
    process.exitCode = exitCodes.usage;
    return;
  }
  // What nobody reads would keep the process alive; everything else is written when a command returns.
  process.exit(await command(args));
}

void main(process.argv.slice(2));
