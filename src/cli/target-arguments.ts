import { parseTargets } from './api/parse-targets.ts';
import type { Targets, WorkloadType } from './api/targets.ts';
import type { CliOption, GivenArguments } from './cli-command.ts';
import { optionText, wrongUsage } from './given-arguments.ts';

export const targetUsage = 'POD... | TYPE/NAME | -l SELECTOR';

export const selectorOption: CliOption = {
  name: 'selector',
  short: 'l',
  value: 'SELECTOR',
  description: 'the Pods with these labels, as kubectl takes it: app=web',
};

/** Which Pods are meant. Throws CommandFailure (wrong usage). */
export function targetArguments(given: GivenArguments): Targets {
  const targets = parseTargets(given.positionals, optionText(given, selectorOption.name));
  if (targets.kind === 'problem') throw wrongUsage(targets.message);
  return targets;
}

/** The targets as they are written in a command line. */
export function targetsText(targets: Targets): string {
  switch (targets.kind) {
    case 'pods':
      return targets.names.join(' ');
    case 'workload':
      return workloadText(targets);
    case 'selector':
      return `-l ${shellWord(targets.selector)}`;
  }
}

export function workloadText({ type, name }: { readonly type: WorkloadType; readonly name: string }): string {
  return `${type}/${name}`;
}

/** A word of a shell's command line. */
export function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
