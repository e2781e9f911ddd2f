import { workloadTypeOf } from '../api/parse-targets.ts';
import { workloadTypes } from '../api/targets.ts';
import { isList } from '../cli-arguments.ts';
import type { CliCommand, CliOption } from '../cli-command.ts';
import { shells } from './shells.ts';
import { optionsFor, type TypedWords, typedWords } from './typed-words.ts';

/** What can stand at the place of the word that is being typed. */
export type Candidates =
  | { readonly kind: 'words'; readonly words: readonly CandidateWord[]; readonly isUnfinished?: boolean }
  | { readonly kind: 'files' }
  /** Names that kubectl prints: the first word of each line. */
  | {
      readonly kind: 'names';
      readonly kubectlArguments: readonly string[];
      /** What comes before each name: "deployment/". */
      readonly prefix: string;
      /** Names that are given already. */
      readonly without: readonly string[];
      readonly otherwise: readonly CandidateWord[];
    };

export type CandidateWord = { readonly word: string; readonly description: string };

/** Says what the last of the words, which may be empty, can become. */
export function candidatesFor(args: readonly string[], commands: readonly CliCommand[]): Candidates {
  const current = args.at(-1) ?? '';
  const typed = typedWords(args.slice(0, -1), commands);
  if (typed.pending !== undefined) return valuesOf(typed.pending, current, typed);
  const attached = /^--([^=]+)=([^]*)$/.exec(current);
  if (attached && !typed.hasEnded) {
    const option = optionsFor(typed.command).find(({ name }) => name === attached[1]);
    return option?.value === undefined ? nothing : valuesOf(option, attached[2] ?? '', typed);
  }
  if (current.startsWith('-') && !typed.hasEnded) return optionNames(typed);
  return typed.command === undefined
    ? commandNames(commands)
    : positionals(typed.command, current, { typed, commands });
}

const nothing: Candidates = { kind: 'words', words: [] };

function commandNames(commands: readonly CliCommand[]): Candidates {
  const words = commands.map(({ name, summary }) => ({ word: name, description: summary }));
  return { kind: 'words', words: [...words, { word: 'help', description: 'describe a command' }] };
}

function optionNames({ command, given }: TypedWords): Candidates {
  const options = optionsFor(command).filter((option) => !given.has(option) || option.isRepeatable === true);
  const words = options.map(({ name, description }) => ({ word: `--${name}`, description }));
  return { kind: 'words', words };
}

/** Options of kubectl whose values it can list: the arguments of kubectl that do. */
const listedValues: ReadonlyMap<string, readonly string[]> = new Map([
  ['namespace', ['get', 'namespaces', '--no-headers']],
  ['context', ['config', 'get-contexts', '--output=name']],
  ['cluster', ['config', 'get-clusters']],
  ['user', ['config', 'get-users']],
]);

function valuesOf(option: CliOption, value: string, { kubectlFlags }: TypedWords): Candidates {
  if (option.choices !== undefined) return choicesOf(option, option.choices, value);
  const listing = listedValues.get(option.name);
  if (listing !== undefined)
    return names({ kubectlArguments: [...listing, ...kubectlFlags], without: ['NAME'] });
  return /FILE|FOLDER/.test(option.value ?? '') ? { kind: 'files' } : nothing;
}

/** A list with commas goes on where it is: "restart,fa" becomes "restart,failed". */
function choicesOf(option: CliOption, choices: readonly string[], value: string): Candidates {
  const before = isList(option) ? value.replace(/[^,]*$/, '') : '';
  const words = choices
    .filter((choice) => !before.split(',').includes(choice))
    .map((choice) => ({ word: `${before}${choice}`, description: '' }));
  return { kind: 'words', words, isUnfinished: isList(option) };
}

function positionals(
  command: CliCommand,
  current: string,
  { typed, commands }: { readonly typed: TypedWords; readonly commands: readonly CliCommand[] },
): Candidates {
  const { positionals: given } = typed;
  switch (command.positionals) {
    case 'targets':
    case 'captures':
      return targets(command.positionals, current, typed);
    case 'files':
      return { kind: 'files' };
    case 'shells':
      return {
        kind: 'words',
        words: given.length > 0 ? [] : shells.map((word) => ({ word, description: '' })),
      };
    case 'commands':
      return given.length > 0 ? nothing : commandNames(commands);
    case 'none':
      return nothing;
  }
}

const listedTargets = { targets: 'pods', captures: 'captures.podcap.dev' } as const;

/** Pods, or captures, also of Pods that are gone; or one workload. */
function targets(
  kind: keyof typeof listedTargets,
  current: string,
  { positionals: given, kubectlFlags }: TypedWords,
): Candidates {
  const written = /^([^/]+)\//.exec(current)?.[1];
  if (written !== undefined) {
    const type = ['pod', 'pods', 'po'].includes(written) ? 'pods' : workloadTypeOf(written);
    if (type === undefined) return nothing;
    return names({ kubectlArguments: ['get', type, '--no-headers', ...kubectlFlags], prefix: `${written}/` });
  }
  const types = workloadTypes.map((each) => ({ word: `${each}/`, description: `the Pods of a ${each}` }));
  return names({
    kubectlArguments: ['get', listedTargets[kind], '--no-headers', ...kubectlFlags],
    without: given,
    otherwise: given.length === 0 && current !== '' ? types : [],
  });
}

function names(given: {
  readonly kubectlArguments: readonly string[];
  readonly prefix?: string;
  readonly without?: readonly string[];
  readonly otherwise?: readonly CandidateWord[];
}): Candidates {
  return { kind: 'names', prefix: '', without: [], otherwise: [], ...given };
}
