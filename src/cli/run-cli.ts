import { nearestWord } from '../base/nearest-word.ts';
import { exitCodes, printMessage, printText } from '../commands/terminal.ts';
import { helpOption, isOption, parseCliArguments } from './cli-arguments.ts';
import { type CliCommand, type CliTerminal, CommandFailure } from './cli-command.ts';
import { splitCommand } from './command-name.ts';
import { completeCommandName, printCandidates } from './completion/print-candidates.ts';
import { EndedBySignal } from './end-signals.ts';
import { commandHelp } from './help/command-help.ts';
import { overview } from './help/overview.ts';
import { kubectlProgram } from './kubectl-program.ts';

export type CliProgram = {
  readonly commands: readonly CliCommand[];
  readonly terminal: CliTerminal;
  readonly signal: AbortSignal;
};

/** Runs the command that the arguments name. Returns the exit code; never throws. */
export async function runCli(args: readonly string[], program: CliProgram): Promise<number> {
  const { commands, terminal } = program;
  const { name, rest } = splitCommand(args);
  if (name === completeCommandName) return await printCandidates(rest, program);
  if (name === undefined || isHelpOption(name)) return await printText(terminal, overview(commands));
  if (name === 'help') return await printHelp(rest, program);
  const command = commandOf(name, commands);
  if (command === undefined) {
    printMessage(terminal, unknownCommand(name, commands));
    return exitCodes.usage;
  }
  const parsed = parseCliArguments(command, rest);
  switch (parsed.kind) {
    case 'help':
      return await printText(terminal, commandHelp(command));
    case 'invalid':
      return usageFailure(terminal, command, parsed.message);
    case 'arguments': {
      const { given, kubectlFlags: flags, namespace } = parsed;
      const kubectl = { program: kubectlProgram(terminal.env), flags, namespace, env: terminal.env };
      return await ended(program, command, () =>
        command.run(given, { terminal, kubectl, signal: program.signal }),
      );
    }
  }
}

function isHelpOption(arg: string): boolean {
  return arg === `--${helpOption.name}` || arg === `-${helpOption.short}`;
}

/** `kubectl podcap --version` is as good as `kubectl podcap version`. */
function commandOf(name: string, commands: readonly CliCommand[]): CliCommand | undefined {
  return commands.find((command) => name === command.name || name === `--${command.name}`);
}

/** `kubectl podcap help save` is `kubectl podcap save --help`. */
async function printHelp(
  [name, ...rest]: readonly string[],
  { commands, terminal }: CliProgram,
): Promise<number> {
  if (name === undefined || isHelpOption(name)) return await printText(terminal, overview(commands));
  const command = rest.length === 0 ? commandOf(name, commands) : undefined;
  if (command !== undefined) return await printText(terminal, commandHelp(command));
  printMessage(terminal, rest.length === 0 ? unknownCommand(name, commands) : 'help takes one command');
  return exitCodes.usage;
}

function unknownCommand(name: string, commands: readonly CliCommand[]): string {
  if (isOption(name))
    return `${JSON.stringify(name)} stands before the command, where only options of kubectl can be: write it after`;
  const names = commands.map((command) => command.name);
  const near = nearestWord(name, names);
  const help = near === undefined ? `the commands are ${names.join(', ')}` : `did you mean ${near}?`;
  return `there is no command ${JSON.stringify(name)}: ${help}`;
}

function usageFailure(terminal: CliTerminal, command: CliCommand, message: string): number {
  printMessage(terminal, `${message}\nsee kubectl podcap ${command.name} --help`);
  return exitCodes.usage;
}

/** The exit code of a command, also of one that throws. */
async function ended(
  { terminal, signal }: CliProgram,
  command: CliCommand,
  run: () => Promise<number>,
): Promise<number> {
  try {
    return await run();
  } catch (error) {
    // What a command does when it is interrupted fails in many ways. It has said what it wants to say.
    if (signal.aborted && signal.reason instanceof EndedBySignal && isAbort(error))
      return signal.reason.exitCode;
    if (!(error instanceof CommandFailure)) {
      printMessage(terminal, `this is a bug in kubectl podcap: ${bugReport(error)}`);
      return exitCodes.failed;
    }
    if (error.exitCode === exitCodes.usage) return usageFailure(terminal, command, error.message);
    if (error.message !== '') printMessage(terminal, error.message);
    return error.exitCode;
  }
}

function isAbort(error: unknown): boolean {
  return error instanceof Error && error.name === 'AbortError';
}

function bugReport(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause === undefined ? '' : `\ncaused by ${bugReport(error.cause)}`;
  return `${error.stack ?? error.message}${cause}`;
}
