import { helpOption, isOption } from '../cli-arguments.ts';
import type { CliCommand, CliOption } from '../cli-command.ts';
import { kubectlOptions } from '../kubectl-options.ts';

/** What is on the command line before the word that is being typed. */
export type TypedWords = {
  readonly command: CliCommand | undefined;
  /** The option whose value comes next. */
  readonly pending: CliOption | undefined;
  readonly given: ReadonlySet<CliOption>;
  readonly positionals: readonly string[];
  /** No option can follow: -- was given. */
  readonly hasEnded: boolean;
  /** What kubectl needs to find the cluster, --namespace too. */
  readonly kubectlFlags: readonly string[];
};

/** Reads an unfinished command line: what is wrong in it is skipped. */
export function typedWords(words: readonly string[], commands: readonly CliCommand[]): TypedWords {
  const given = new Set<CliOption>();
  const positionals: string[] = [];
  const kubectlFlags: string[] = [];
  let command: CliCommand | undefined;
  let pending: CliOption | undefined;
  let hasEnded = false;
  const take = (option: CliOption, value: string | undefined) => {
    given.add(option);
    if (kubectlOptions.includes(option)) kubectlFlags.push(`--${option.name}=${value ?? 'true'}`);
  };
  for (const word of words) {
    if (pending !== undefined) {
      take(pending, word);
      pending = undefined;
    } else if (hasEnded || !isOption(word)) {
      if (command === undefined) command = commands.find(({ name }) => name === word);
      else positionals.push(word);
    } else if (word === '--') {
      hasEnded = true;
    } else {
      const { option, attached } = typedOption(word, command);
      if (option?.value !== undefined && attached === undefined) pending = option;
      else if (option !== undefined) take(option, attached);
    }
  }
  return { command, pending, given, positionals, hasEnded, kubectlFlags };
}

/** Every option that the command knows, its own first. */
export function optionsFor(command: CliCommand | undefined): readonly CliOption[] {
  return [...(command?.options ?? []), helpOption, ...kubectlOptions];
}

type TypedOption = { readonly option: CliOption | undefined; readonly attached: string | undefined };

function typedOption(word: string, command: CliCommand | undefined): TypedOption {
  const options = optionsFor(command);
  if (word.startsWith('--')) {
    const [, name, attached] = /^--([^=]*)(?:=([^]*))?$/.exec(word) ?? [];
    return { option: options.find((each) => each.name === name), attached };
  }
  const option = options.find(({ short }) => short === word[1]);
  const rest = word.slice(2).replace(/^=/, '');
  return { option, attached: rest === '' ? undefined : rest };
}
