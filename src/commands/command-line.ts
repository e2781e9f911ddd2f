import { parseArgs } from 'node:util';
import { nearestWord } from '../base/nearest-word.ts';

/** The command line of a command, parsed. */
export type ParsedArguments<Arguments> =
  | { readonly kind: 'arguments'; readonly arguments: Arguments }
  | { readonly kind: 'help'; readonly text: string }
  | InvalidArguments;

export type InvalidArguments = { readonly kind: 'invalid'; readonly message: string };

export type OptionTypes = NonNullable<NonNullable<Parameters<typeof parseArgs>[0]>['options']>;

export type OptionValues = Readonly<Record<string, unknown>>;

export type CommandLine = {
  readonly kind: 'given';
  readonly values: OptionValues;
  readonly positionals: readonly string[];
};

/** Splits a command line into options and the rest. Every command has --help. */
export function parseCommandLine(
  args: readonly string[],
  options: OptionTypes,
): CommandLine | InvalidArguments {
  try {
    return {
      kind: 'given',
      ...parseArgs({
        args: [...args],
        options: { ...options, help: { type: 'boolean', short: 'h' } },
        allowPositionals: true,
      }),
    };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    const unknown = /^Unknown option '([^']+)'/.exec(message)?.[1];
    // Of an option without a value, Node's message names it.
    return invalidArguments(unknown === undefined ? message : unknownOption(unknown, Object.keys(options)));
  }
}

function unknownOption(given: string, known: readonly string[]): string {
  const near = nearestWord(given.replace(/^-+/, ''), [...known, 'help']);
  const options = [...known, 'help'].map((name) => `--${name}`).join(', ');
  return `unknown option ${given}: ${near === undefined ? `the options are ${options}` : `did you mean --${near}?`}`;
}

export function invalidArguments(message: string): InvalidArguments {
  return { kind: 'invalid', message };
}
