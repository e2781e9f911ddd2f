import type { Side } from '../pcap/merge/conversation-sides.ts';
import type { PacketTime } from '../pcap/merge/merge-input.ts';
import type { CaptureFormat } from '../pcap/write/capture-writer.ts';
import { parseFormat, parseTimeRange, rangeHelp } from './capture-options.ts';
import {
  type CommandLine,
  invalidArguments,
  type ParsedArguments,
  parseCommandLine,
} from './command-line.ts';
import { pausedUnreadSeconds } from './terminal.ts';

/** The command line of `podcap merge`, parsed. */
export type MergeArguments = {
  /** Paths, or `-` for standard input. */
  readonly files: readonly string[];
  /** A path, or `-` for standard output. */
  readonly to: string;
  readonly format: CaptureFormat;
  readonly side: Side | undefined;
  readonly since: PacketTime | undefined;
  readonly until: PacketTime | undefined;
  readonly names: boolean;
  /** Pipes that are all that is left and send nothing for this long are given up. */
  readonly waitSeconds: number;
};

/** A pipe that sends nothing for this long is not waited for any more. */
export const slowAfterMs = 2_000;

const defaultWaitSeconds = 60;
const maxWaitSeconds = 1_000_000;

const mergeHelp = `Usage: podcap merge <file>... --to <file> [options]

Merges capture files (pcap or pcapng) into one, in the order of their packets' times:

  podcap merge web.pcapng db.pcapng --to both.pcapng
  podcap merge *.pcapng --to - | wireshark -k -i -

Each packet keeps its time, its length and, within its file, its place: where a clock was set back, that is reported. In
pcapng, each packet keeps its interface (frame.interface_name in Wireshark: <namespace>/<pod>/<interface>). A file is
read as far as it can be; if packets are missing, the exit code is 3. The output has its name only when it is complete.
A file can be - for standard input, or a pipe; the others do not wait for a pipe that sends nothing for ${slowAfterMs / 1_000} s.
Standard output that nobody reads for ${pausedUnreadSeconds / 60} minutes is given up, with exit code 1.

Options:
  --to <file>                where to write; - is standard output
  --format <format>          pcapng (default); or pcap, which has no interfaces and one link type
  --side <client|server>     if both ends of a conversation were captured, keep what the client captured, or the server.
                             Otherwise both are kept, and look like retransmissions. The client is the end that opened
                             a TCP connection. For UDP, and if the start of a connection was not captured, it is the
                             end with the higher port; if the ports are equal, the end that sent first. If the Pod's
                             addresses are not known, both ends are kept, and a message says so
  --names                    name the Pods' addresses, for Wireshark (-N n); editcap 4.0 and mergecap 4.0 fail on such files
${rangeHelp}
  --wait-seconds <number>    when only pipes are left, give up if they send nothing for this long (default: ${defaultWaitSeconds});
                             the exit code is 3
  -h, --help                 print this help
`;

/** Parses the command line of `podcap merge`; `nowMs` is in epoch milliseconds. */
export function mergeArguments(args: readonly string[], nowMs: number): ParsedArguments<MergeArguments> {
  const parsed = parseCommandLine(args, {
    to: { type: 'string' },
    format: { type: 'string' },
    side: { type: 'string' },
    names: { type: 'boolean' },
    since: { type: 'string' },
    until: { type: 'string' },
    'wait-seconds': { type: 'string' },
  });
  if (parsed.kind === 'invalid') return parsed;
  if (parsed.values['help'] === true) return { kind: 'help', text: mergeHelp };
  return checkMergeArguments(parsed, nowMs);
}

/** Checks what was given, whatever split the command line; `nowMs` is in epoch milliseconds. */
export function checkMergeArguments(
  { values, positionals: files }: Pick<CommandLine, 'values' | 'positionals'>,
  nowMs: number,
): Exclude<ParsedArguments<MergeArguments>, { readonly kind: 'help' }> {
  const { to, side } = values;
  if (files.length === 0) return invalidArguments('at least one capture file is required');
  if (files.includes('')) return invalidArguments('the name of a file is empty');
  if (files.filter((file) => file === '-').length > 1)
    return invalidArguments('standard input (-) can be read only once');
  if (typeof to !== 'string' || to === '')
    return invalidArguments('--to is required: a file, or - for standard output');
  if (side !== undefined && side !== 'client' && side !== 'server')
    return invalidArguments(`--side must be client or server, not ${JSON.stringify(side)}`);
  const format = parseFormat(values['format']);
  if (typeof format !== 'string') return format;
  const names = values['names'] === true;
  if (names && format === 'pcap') return invalidArguments('--names needs --format pcapng: pcap has no names');
  const waitSeconds = Number(values['wait-seconds'] ?? defaultWaitSeconds);
  if (!Number.isInteger(waitSeconds) || waitSeconds < 1 || waitSeconds > maxWaitSeconds)
    return invalidArguments(`--wait-seconds must be a whole number from 1 to ${maxWaitSeconds}`);
  const range = parseTimeRange(values, nowMs);
  if ('kind' in range) return range;
  return { kind: 'arguments', arguments: { files, to, format, side, names, waitSeconds, ...range } };
}
