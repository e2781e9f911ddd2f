import { nearestWord } from '../base/nearest-word.ts';
import { type InvalidArguments, invalidArguments } from '../commands/command-line.ts';
import type { CliCommand, CliOption, GivenArguments } from './cli-command.ts';
import { wordsOf } from './given-arguments.ts';
import { kubectlOptions } from './kubectl-options.ts';

/** The command line of a command, after its name. */
export type CliArguments =
  | {
      readonly kind: 'arguments';
      readonly given: GivenArguments;
      /** As kubectl takes them: --name=value. */
      readonly kubectlFlags: readonly string[];
      readonly namespace: string | undefined;
    }
  | { readonly kind: 'help' }
  | InvalidArguments;

export const helpOption: CliOption = { name: 'help', short: 'h', description: 'print this help' };

/**
 * Checks the arguments against the options of the command and kubectl's own. As with kubectl, options can follow
 * arguments, a value can be attached (--to=FILE, -oname, -o=name), flags of one letter can share a dash, and what
 * follows -- is no option.
 */
export function parseCliArguments(
  command: Pick<CliCommand, 'options' | 'positionals' | 'name'>,
  args: readonly string[],
): CliArguments {
  const known: KnownOptions = { own: command.options, kubectl: kubectlOptions };
  const positionals: string[] = [];
  const occurrences: Occurrence[] = [];
  for (let at = 0; at < args.length; ) {
    const arg = args[at] ?? '';
    if (arg === '--') {
      positionals.push(...args.slice(at + 1));
      break;
    }
    if (!isOption(arg)) {
      positionals.push(arg);
      at += 1;
      continue;
    }
    const read = readOptions(arg, args[at + 1], known);
    if (read.kind === 'invalid') return read;
    if (read.occurrences.some(({ option }) => option === helpOption)) return { kind: 'help' };
    occurrences.push(...read.occurrences);
    at += read.takesNext ? 2 : 1;
  }
  if (command.positionals === 'none' && positionals.length > 0)
    return invalidArguments(`${command.name} takes no arguments, but ${quoted(positionals[0] ?? '')} is one`);
  return gather(command, { positionals, occurrences });
}

/** Whether an argument is an option: `-` alone is standard input or output. */
export function isOption(arg: string): boolean {
  return arg.startsWith('-') && arg !== '-';
}

type KnownOptions = { readonly own: readonly CliOption[]; readonly kubectl: readonly CliOption[] };

/** An option as it was given; `true` and `false` for a flag. */
type Occurrence = { readonly option: CliOption; readonly value: string | boolean };

type ReadOptions =
  | { readonly kind: 'read'; readonly occurrences: readonly Occurrence[]; readonly takesNext: boolean }
  | InvalidArguments;

function readOptions(arg: string, next: string | undefined, known: KnownOptions): ReadOptions {
  return arg.startsWith('--') ? readLong(arg, next, known) : readShort(arg, next, known);
}

function readLong(arg: string, next: string | undefined, known: KnownOptions): ReadOptions {
  const [, name = '', attached] = /^--([^=]*)(?:=([^]*))?$/.exec(arg) ?? [];
  const option = optionsOf(known).find((each) => each.name === name);
  if (option === undefined) return invalidArguments(unknownOption(`--${name}`, known));
  return readValue(option, { shown: `--${name}`, attached, next }, known);
}

/** One letter or several: `-o name`, `-oname`, `-o=name`, `-Aw`. */
function readShort(arg: string, next: string | undefined, known: KnownOptions): ReadOptions {
  const flags: Occurrence[] = [];
  for (let at = 1; at < arg.length; at += 1) {
    const letter = arg[at] ?? '';
    const rest = arg.slice(at + 1);
    const option = optionsOf(known).find(({ short }) => short === letter);
    if (option === undefined) return invalidArguments(unknownOption(`-${arg.slice(at)}`, known));
    if (option.value === undefined && rest !== '' && !rest.startsWith('=')) {
      flags.push({ option, value: true });
      continue;
    }
    const attached = rest === '' ? undefined : rest.replace(/^=/, '');
    const read = readValue(option, { shown: `-${letter}`, attached, next }, known);
    return read.kind === 'invalid' ? read : { ...read, occurrences: [...flags, ...read.occurrences] };
  }
  return { kind: 'read', occurrences: flags, takesNext: false };
}

type GivenValue = {
  readonly shown: string;
  readonly attached: string | undefined;
  readonly next: string | undefined;
};

function readValue(
  option: CliOption,
  { shown, attached, next }: GivenValue,
  known: KnownOptions,
): ReadOptions {
  if (option.value === undefined) {
    if (attached === undefined || attached === 'true' || attached === 'false')
      return { kind: 'read', occurrences: [{ option, value: attached !== 'false' }], takesNext: false };
    return invalidArguments(`${shown} takes no value, but ${quoted(attached)} was given`);
  }
  const value = attached ?? next;
  if (value === undefined) return invalidArguments(`${shown} needs a value: ${shown} ${option.value}`);
  if (attached === undefined && isKnown(value, known))
    return invalidArguments(
      `${shown} needs a value, but the option ${value} follows: if that is the value, write --${option.name}=${value}`,
    );
  return { kind: 'read', occurrences: [{ option, value }], takesNext: attached === undefined };
}

function isKnown(arg: string, known: KnownOptions): boolean {
  const name = arg.replace(/=[^]*$/, '');
  return optionsOf(known).some((option) => name === `--${option.name}` || name === `-${option.short}`);
}

/** The command's own come first: an option of kubectl with the same name is not passed on. */
function optionsOf({ own, kubectl }: KnownOptions): readonly CliOption[] {
  return [...own, helpOption, ...kubectl];
}

function unknownOption(shown: string, known: KnownOptions): string {
  const names = optionsOf(known).map(({ name }) => name);
  const word = shown.replace(/^-+/, '');
  // Every letter is near every other.
  const near = word.length > 1 ? nearestWord(word, names) : undefined;
  if (near !== undefined) return `there is no option ${plainQuoted(shown)}: did you mean --${near}?`;
  const own = [...known.own, helpOption].map(({ name }) => `--${name}`).join(', ');
  return `there is no option ${plainQuoted(shown)}: the options are ${own}, and those of kubectl`;
}

function gather(
  command: Pick<CliCommand, 'options'>,
  {
    positionals,
    occurrences,
  }: { readonly positionals: readonly string[]; readonly occurrences: readonly Occurrence[] },
): CliArguments {
  const flags = new Set<string>();
  const values = new Map<string, string[]>();
  const kubectlFlags: string[] = [];
  let namespace: string | undefined;
  for (const { option, value } of occurrences) {
    const { name } = option;
    if (!command.options.includes(option)) {
      if (name === 'namespace') namespace = value === '' ? undefined : String(value);
      else kubectlFlags.push(`--${name}=${value}`);
    } else if (typeof value === 'boolean') {
      if (value) flags.add(name);
      else flags.delete(name);
    } else {
      const before = values.get(name) ?? [];
      const problem = problemOf(option, value, before.length);
      if (problem !== undefined) return invalidArguments(problem);
      values.set(name, [...before, value]);
    }
  }
  return { kind: 'arguments', given: { positionals, flags, values }, kubectlFlags, namespace };
}

function problemOf(option: CliOption, value: string, timesBefore: number): string | undefined {
  if (timesBefore > 0 && option.isRepeatable !== true) return `--${option.name} is given twice`;
  if (value === '') return `the value of --${option.name} is empty`;
  const { choices } = option;
  if (choices === undefined) return undefined;
  const words = isList(option) ? wordsOf(value) : [value];
  const wrong = words.find((word) => !choices.includes(word));
  if (wrong === undefined) return undefined;
  const near = nearestWord(wrong, choices);
  const help = near === undefined ? '' : `: did you mean ${near}?`;
  return `--${option.name} must be ${alternatives(choices)}, not ${quoted(wrong)}${help}`;
}

/** Whether the value is a list with commas, which shows in what it is called: "CAUSE[,CAUSE]". */
export function isList({ value }: CliOption): boolean {
  return value?.includes(',') === true;
}

function alternatives(choices: readonly string[]): string {
  return choices.length < 2 ? choices.join('') : `${choices.slice(0, -1).join(', ')} or ${choices.at(-1)}`;
}

function quoted(text: string): string {
  return JSON.stringify(text);
}

/** An option without quotes, unless it has more than an option can have. */
function plainQuoted(option: string): string {
  return /^-+[\w-]*$/.test(option) ? option : quoted(option);
}
