import { parseTargets } from '../api/parse-targets.ts';
import type { GivenArguments } from '../cli-command.ts';
import { hasFlag, optionText, wrongUsage } from '../given-arguments.ts';
import { parseSortKey, type SortKey } from './sort-captures.ts';

export const listFormats = ['wide', 'json', 'yaml', 'name'] as const;
export type ListFormat = 'table' | (typeof listFormats)[number];

export type ListViewArguments = {
  readonly names: readonly string[];
  readonly labelSelector: string | undefined;
  readonly hasAllNamespaces: boolean;
  readonly format: ListFormat;
  readonly sortBy: SortKey | undefined;
  /** As it was given. */
  readonly sortText: string | undefined;
  readonly isWatch: boolean;
};

/** Throws CommandFailure (wrong usage) for what cannot be. */
export function listArguments(given: GivenArguments): ListViewArguments {
  const labelSelector = optionText(given, 'selector');
  const hasAllNamespaces = hasFlag(given, 'all-namespaces');
  const names = podNames(given.positionals, labelSelector);
  if (hasAllNamespaces && names.length > 0)
    throw wrongUsage('a Pod has a namespace: name Pods, or give -A, not both');
  const output = optionText(given, 'output');
  const sortText = optionText(given, 'sort-by');
  return {
    names,
    labelSelector,
    hasAllNamespaces,
    format: listFormats.find((format) => format === output) ?? 'table',
    sortBy: sortText === undefined ? undefined : sortKey(sortText),
    sortText,
    isWatch: hasFlag(given, 'watch'),
  };
}

function podNames(positionals: readonly string[], selector: string | undefined): readonly string[] {
  if (positionals.length === 0 && selector === undefined) return [];
  const targets = parseTargets(positionals, selector);
  switch (targets.kind) {
    case 'problem':
      throw wrongUsage(targets.message);
    case 'workload':
      throw wrongUsage(
        `list takes the names of Pods: the captures of a workload's Pods are those with their labels, ` +
          `such as -l app=${targets.name}`,
      );
    case 'selector':
      return [];
    case 'pods':
      return targets.names;
  }
}

function sortKey(text: string): SortKey {
  const key = parseSortKey(text);
  if (key.kind === 'problem') throw wrongUsage(key.message);
  return key;
}
