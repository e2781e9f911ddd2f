import type { PacketTime } from '../pcap/merge/merge-input.ts';
import { type InvalidArguments, invalidArguments, type OptionValues } from './command-line.ts';
import { parseTime, timeForms } from './time-argument.ts';

/** What a command writes. */
export type CaptureFormat = 'pcapng' | 'pcap';

/** Packets from `since` on and before `until`. */
export type TimeRange = { readonly since: PacketTime | undefined; readonly until: PacketTime | undefined };

export const rangeHelp = `  --since <time>             leave out packets before this time
  --until <time>             leave out packets from this time on. Both are ${timeForms.replace(', or', ',\n                             or')}`;

/** pcapng unless the user says otherwise. */
export function parseFormat(value: unknown): CaptureFormat | InvalidArguments {
  if (value === undefined || value === 'pcapng' || value === 'pcap') return value ?? 'pcapng';
  return invalidArguments(`--format must be pcapng or pcap, not ${JSON.stringify(value)}`);
}

/** The values of --since and --until; `nowMs` is in epoch milliseconds. */
export function parseTimeRange(values: OptionValues, nowMs: number): TimeRange | InvalidArguments {
  const [since, until] = [parseOption('since', values, nowMs), parseOption('until', values, nowMs)];
  if (since && 'kind' in since) return since;
  if (until && 'kind' in until) return until;
  if (since && until && !isBefore(since, until)) return invalidArguments('--since must be before --until');
  return { since, until };
}

/** Whether a time is in the range. */
export function isInRange({ since, until }: TimeRange, time: PacketTime): boolean {
  return (since === undefined || !isBefore(time, since)) && (until === undefined || isBefore(time, until));
}

function isBefore(a: PacketTime, b: PacketTime): boolean {
  return a.seconds === b.seconds ? a.nanoseconds < b.nanoseconds : a.seconds < b.seconds;
}

function parseOption(
  name: 'since' | 'until',
  values: OptionValues,
  nowMs: number,
): PacketTime | InvalidArguments | undefined {
  const value = values[name];
  if (typeof value !== 'string') return undefined;
  return (
    parseTime(value, nowMs) ??
    invalidArguments(`--${name} must be ${timeForms}, not ${JSON.stringify(value)}`)
  );
}
