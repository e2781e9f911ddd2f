import { mostLimits, packetRules } from '../../agent/planner/annotations.ts';
import { policyFields } from '../../agent/planner/policy-fields.ts';
import { type LabelSelector, parseLabelSelector } from '../../kubernetes/label-selector.ts';
import type { Targets } from '../api/targets.ts';
import type { CliOption, GivenArguments } from '../cli-command.ts';
import { optionText, wrongUsage } from '../given-arguments.ts';

/** The policy that is to ask for the captures. */
export type PolicyArguments = {
  readonly name: string;
  /** RFC 3339; undefined: never. */
  readonly expires: string | undefined;
  readonly selects:
    | Extract<Targets, { readonly kind: 'workload' }>
    | { readonly kind: 'labels'; readonly selector: LabelSelector; readonly text: string };
};

const defaultExpiry = '24h';

export const policyOptions: readonly CliOption[] = [
  {
    name: 'policy',
    value: 'NAME',
    description:
      'create this CapturePolicy, which also captures Pods to come, and leave the Pods as they are',
  },
  {
    name: 'expires',
    value: 'WHEN',
    description: `when the policy ends: a duration, a time in RFC 3339, or never; default ${defaultExpiry}`,
  },
];

/** Undefined without --policy. Throws CommandFailure (wrong usage). */
export function policyArguments(
  given: GivenArguments,
  targets: Targets,
  nowMs: number,
): PolicyArguments | undefined {
  const [name, expires] = [optionText(given, 'policy'), optionText(given, 'expires')];
  if (name === undefined) {
    if (expires !== undefined) throw wrongUsage('--expires is the end of a policy: it needs --policy NAME');
    return undefined;
  }
  if (!objectName.test(name) || name.length > 253)
    throw wrongUsage(
      `--policy=${JSON.stringify(name)}: must be the name of an object, such as web-crashes: small letters, digits and -`,
    );
  return { name, expires: expiryTime(expires ?? defaultExpiry, nowMs), selects: selectedBy(targets) };
}

const objectName = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;

function expiryTime(text: string, nowMs: number): string | undefined {
  if (text === 'never') return undefined;
  const afterMs = packetRules.duration.parse(text);
  if (afterMs !== undefined) return rfc3339(nowMs + afterMs);
  const atMs = policyFields(mostLimits).expires.parse(text);
  if (atMs !== undefined && atMs > nowMs) return text;
  const problem =
    atMs === undefined
      ? `must be ${packetRules.duration.allowed}, a time in RFC 3339, such as ${rfc3339(nowMs + 86_400_000)}, or never`
      : 'is over already';
  throw wrongUsage(`--expires=${JSON.stringify(text)}: ${problem}`);
}

/** In whole seconds. */
function rfc3339(ms: number): string {
  return new Date(ms).toISOString().replace(/[.]\d+Z$/, 'Z');
}

function selectedBy(targets: Targets): PolicyArguments['selects'] {
  switch (targets.kind) {
    case 'workload':
      return targets;
    case 'pods':
      throw wrongUsage(
        'a policy selects Pods by their labels: with --policy, name a workload as TYPE/NAME, or use -l',
      );
    case 'selector': {
      const selector = parseLabelSelector(targets.selector);
      if ('kind' in selector) throw wrongUsage(`-l ${JSON.stringify(targets.selector)}: ${selector.message}`);
      return { kind: 'labels', selector, text: targets.selector };
    }
  }
}
