import { exitCodes } from '../commands/terminal.ts';
import { CommandFailure, type GivenArguments } from './cli-command.ts';

/** The value of an option; undefined if it was not given. */
export function optionText(given: GivenArguments, name: string): string | undefined {
  return given.values.get(name)?.at(-1);
}

/** The words of a value that is a list: `restart,failed`. */
export function wordsOf(value: string): readonly string[] {
  return value.split(',').map((word) => word.trim());
}

export type NumberRange = { readonly least: number; readonly most: number };

/** The value of an option that is a whole number. Throws CommandFailure (wrong usage) for anything else. */
export function optionNumber(
  given: GivenArguments,
  name: string,
  { least, most }: NumberRange,
): number | undefined {
  const text = optionText(given, name);
  if (text === undefined) return undefined;
  const number = /^[0-9]{1,15}$/.test(text) ? Number(text) : Number.NaN;
  if (number >= least && number <= most) return number;
  throw wrongUsage(`--${name} must be a whole number from ${least} to ${most}, not ${JSON.stringify(text)}`);
}

export function hasFlag(given: GivenArguments, name: string): boolean {
  return given.flags.has(name);
}

/** What the user got wrong in the command line: exit code 2, and where the help is. */
export function wrongUsage(message: string): CommandFailure {
  return new CommandFailure(message, exitCodes.usage);
}
