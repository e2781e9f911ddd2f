import type { PacketTime } from '../pcap/merge/merge-input.ts';
import { parseTime, timeForms } from '../pcap/time-argument.ts';
import { isEmptyRange, type TimeRange } from '../pcap/time-range.ts';
import type { CaptureFormat } from '../pcap/write/capture-writer.ts';
import { type InvalidArguments, invalidArguments, type OptionValues } from './command-line.ts';

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
  if (isEmptyRange({ since, until })) return invalidArguments('--since must be before --until');
  return { since, until };
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
