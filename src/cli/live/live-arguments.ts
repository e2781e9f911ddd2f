import { type AnnotationRule, packetRules } from '../../agent/planner/annotations.ts';
import type { TapRequest } from '../api/capture-stream.ts';
import type { GivenArguments } from '../cli-command.ts';
import { hasFlag, optionNumber, optionText, wrongUsage } from '../given-arguments.ts';

/** What `live` is asked for, besides whose packets. */
export type LiveArguments = {
  readonly asked: Pick<TapRequest, 'filter' | 'interface' | 'snaplen'>;
  /** Infinity: without an end. */
  readonly count: number;
  readonly durationMs: number;
  /** Lines, a capture (a path, or `-`), or Wireshark. */
  readonly to: { readonly kind: 'lines' | 'wireshark' } | { readonly kind: 'capture'; readonly path: string };
  readonly overwrite: boolean;
};

const mostPackets = 1_000_000_000_000;

/** Checks the options with the agent's own rules, and in its words. Throws CommandFailure (wrong usage). */
export function liveArguments(given: GivenArguments): LiveArguments {
  const filter = checked(given, 'filter', packetRules.filter);
  const interfaces = checked(given, 'interface', packetRules.interfaces);
  const snaplen = checked(given, 'snaplen', packetRules.snaplen);
  return {
    asked: {
      ...(filter !== undefined && { filter }),
      ...(interfaces !== undefined && { interface: interfaces.join(',') }),
      ...(snaplen !== undefined && { snaplen }),
    },
    count: optionNumber(given, 'count', { least: 1, most: mostPackets }) ?? Infinity,
    durationMs: checked(given, 'duration', packetRules.duration) ?? Infinity,
    to: outputOf(given),
    overwrite: hasFlag(given, 'overwrite'),
  };
}

function checked<T>(given: GivenArguments, name: string, rule: AnnotationRule<T>): T | undefined {
  const text = optionText(given, name);
  if (text === undefined) return undefined;
  const value = rule.parse(text);
  if (value !== undefined) return value;
  throw wrongUsage(`--${name}=${JSON.stringify(text)}: must be ${rule.allowed}`);
}

function outputOf(given: GivenArguments): LiveArguments['to'] {
  const path = optionText(given, 'to');
  const isForWireshark = hasFlag(given, 'wireshark');
  if (path === undefined) return { kind: isForWireshark ? 'wireshark' : 'lines' };
  if (isForWireshark) throw wrongUsage('--wireshark and --to: give one of them');
  return { kind: 'capture', path };
}
