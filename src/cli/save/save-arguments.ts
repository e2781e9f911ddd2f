import { parseFormat, parseTimeRange } from '../../commands/capture-options.ts';
import { timeText } from '../../pcap/decode/time-text.ts';
import type { Side } from '../../pcap/merge/conversation-sides.ts';
import type { PacketTime } from '../../pcap/merge/merge-input.ts';
import type { CaptureFormat } from '../../pcap/write/capture-writer.ts';
import type { GivenArguments } from '../cli-command.ts';
import { hasFlag, optionText, wrongUsage } from '../given-arguments.ts';

/** What `save` is asked for, besides whose recordings. */
export type SaveOptions = {
  readonly format: CaptureFormat;
  readonly side: Side | undefined;
  /** Whether the addresses of the Pods get names. */
  readonly names: boolean;
  readonly overwrite: boolean;
};

export type SaveArguments = SaveOptions & {
  /** A path, or `-`; undefined: a name is made. */
  readonly to: string | undefined;
  /** RFC 3339: how long ago something is counts from the start of the command, however often a download starts over. */
  readonly since: string | undefined;
  readonly until: string | undefined;
  /** The number of a frozen ring, or `all`. */
  readonly frozen: string | undefined;
  /** Of the Pod that had the name before. */
  readonly previous: boolean;
};

/** Checks the options; `nowMs` is in epoch milliseconds. Throws CommandFailure (wrong usage). */
export function saveArguments(given: GivenArguments, nowMs: number): SaveArguments {
  const text = (name: string) => optionText(given, name);
  const [to, side, frozen] = [text('to'), text('side'), text('frozen')];
  const format = parseFormat(text('format'));
  if (typeof format !== 'string') throw wrongUsage(format.message);
  if (side !== undefined && side !== 'client' && side !== 'server')
    throw wrongUsage(`--side must be client or server, not ${JSON.stringify(side)}`);
  if (frozen !== undefined && !/^(all|[1-9][0-9]{0,8})$/.test(frozen))
    throw wrongUsage(`--frozen must be the number of a frozen ring, or all, not ${JSON.stringify(frozen)}`);
  const names = hasFlag(given, 'names');
  if (names && format === 'pcap') throw wrongUsage('--names needs --format pcapng: pcap has no names');
  const range = parseTimeRange({ since: text('since'), until: text('until') }, nowMs);
  if ('kind' in range) throw wrongUsage(range.message);
  return {
    to,
    format,
    side,
    names,
    overwrite: hasFlag(given, 'overwrite'),
    since: timestamp(range.since),
    until: timestamp(range.until),
    frozen,
    previous: hasFlag(given, 'previous'),
  };
}

function timestamp(time: PacketTime | undefined): string | undefined {
  return time && timeText({ ...time, time: 'with-date', resolution: 'ns' });
}
