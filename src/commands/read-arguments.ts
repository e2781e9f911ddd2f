import { captureStates, stateDescriptions } from '../agent/observability/capture-states.ts';
import { settingDescriptions } from '../agent/settings.ts';
import type { RingChoice } from '../agent/storage/chosen-rings.ts';
import { podNamePatterns } from '../agent/storage/file-names.ts';
import type { TimeRange } from '../pcap/time-range.ts';
import type { CaptureFormat } from '../pcap/write/capture-writer.ts';
import { parseFormat, parseTimeRange, rangeHelp } from './capture-options.ts';
import {
  invalidArguments as invalid,
  type OptionTypes,
  type OptionValues,
  type ParsedArguments,
  parseCommandLine,
} from './command-line.ts';
import { defaultUnreadSeconds } from './terminal.ts';

/** The command line of `podcap read`, parsed. */
export type ReadArguments = TimeRange &
  Required<RingChoice> & {
    readonly capturesFolder: string;
    readonly pod: { readonly namespace: string; readonly name: string } | { readonly uid: string };
    readonly format: CaptureFormat;
    /** The output is given up when it has not been read for this long. */
    readonly unreadSeconds: number;
  };

/** The command line of `podcap list`, parsed. */
export type ListArguments = {
  readonly capturesFolder: string;
  readonly output: 'table' | 'json';
};

const maxUnreadSeconds = 86_400;
const { capturesFolder } = settingDescriptions;
const commonHelp = `  --captures-folder <path>   ${capturesFolder.help}
                             (or ${capturesFolder.env}; default: ${capturesFolder.default})
  -h, --help                 print this help`;

const readHelp = `Usage: podcap read <namespace>/<pod> [options]
       podcap read --uid <uid> [options]

Writes the captured packets of a Pod to standard output, as one capture file:

  kubectl exec -n kube-system <agent> -- podcap read default/web > web.pcapng
  kubectl exec -n kube-system <agent> -- podcap read default/web | wireshark -k -i -

The output contains every packet that is in the files when the command starts: whole, in order, and only once where
two captures overlap. It does not follow the capture. All files are opened at the start, so a slow reader misses
nothing when the capture deletes old files. Until the command ends, the files that it reads use disk space, even if
they are deleted. So it ends, with exit code 1, when its output is no longer read, or at less than 64 KiB/s: after a
kubectl exec that was killed, for example. If a file, or the rest of one, cannot be
read, it is left out, and the exit code is 3.

In pcapng, the interface of a packet is <namespace>/<pod>/<interface>, and the file ends with what its captures counted,
which also shows that it is complete.

A frozen ring is read with --frozen <number>; podcap list shows them. --frozen all reads every frozen ring and then the
ring itself, and each packet once.

If several Pods had that name, the one that was captured last is read. podcap list shows the UID of each.

Options:
  --uid <uid>                read the Pod with this UID
  --generation <number>      read only the files of one start of tcpdump: captres-<pod>.<generation>.pcap<number>
  --frozen <number>|all      read a frozen ring, or all of them and the ring
  --format <format>          pcapng (default); or pcap, which has no interfaces and one link type
${rangeHelp}
  --unread-seconds <number>  end when none of the output, or less than 64 KiB/s, has been read for this long
                             (default: ${defaultUnreadSeconds})
${commonHelp}
`;

const listHelp = `Usage: podcap list [options]

Lists the captures of this Node: those of which packets are kept, and those that are waiting, failed or refused.

STATE is one of:
${captureStates.map((state) => `  ${state.padEnd(9)}  ${stateDescriptions[state]}`).join('\n')}
  unknown    no agent in this container says anything about it
REASON is the word of the Pod's Event; its message follows the table, and so do the frozen rings, with what froze them. A terminal that is too narrow for the table (with
kubectl exec -it) gets one paragraph for each capture.

FROZEN is the number of frozen rings. FILES, BYTES and PACKETS count theirs too.
PACKETS is the number of packets in the files. A packet that two overlapping captures both contain is counted twice.
DROPPED by the kernel, LOST at stop, and MISSED while nothing captured are those of all captures of the Pod. MISSED is
an upper bound, and includes what passed before the first capture. UNSEEN is how many the Pod sent past every packet
capture, at least; 12+ if that is not known for a part of the captures. All counts are as last recorded by the agent, at
most 20 seconds ago; what is not known is a dash, and is left out of the JSON. FIRST and LAST are the times of the
first and the last packet.

Options:
  -o, --output <format>      table (default) or json
${commonHelp}
`;

/** Parses the command line of `podcap read`. */
export function readArguments(
  args: readonly string[],
  env: NodeJS.ProcessEnv,
): ParsedArguments<ReadArguments> {
  const parsed = parseCommandLine(args, {
    uid: { type: 'string' },
    generation: { type: 'string' },
    frozen: { type: 'string' },
    format: { type: 'string' },
    since: { type: 'string' },
    until: { type: 'string' },
    'unread-seconds': { type: 'string' },
    ...commonOptions,
  });
  if (parsed.kind === 'invalid') return parsed;
  const { values, positionals } = parsed;
  if (values['help'] === true) return { kind: 'help', text: readHelp };

  const { uid, generation, frozen } = values;
  if ((uid === undefined) === (positionals.length === 0) || positionals.length > 1)
    return invalid('either one <namespace>/<pod> or --uid <uid> is required');
  if (typeof uid === 'string' && !podNamePatterns.uid.test(uid))
    return invalid(`--uid must be the UID of a Pod, not ${JSON.stringify(uid)}`);
  if (typeof generation === 'string' && !/^[0-9]{1,9}$/.test(generation))
    return invalid(`--generation must be a whole number, not ${JSON.stringify(generation)}`);
  if (typeof frozen === 'string' && !/^(all|[1-9][0-9]{0,8})$/.test(frozen))
    return invalid(`--frozen must be the number of a frozen ring, or all, not ${JSON.stringify(frozen)}`);
  const unreadSeconds = Number(values['unread-seconds'] ?? defaultUnreadSeconds);
  if (!Number.isInteger(unreadSeconds) || unreadSeconds < 1 || unreadSeconds > maxUnreadSeconds)
    return invalid(`--unread-seconds must be a whole number from 1 to ${maxUnreadSeconds}`);
  const pod = typeof uid === 'string' ? { uid } : parsePod(positionals[0] ?? '');
  if (!pod)
    return invalid(
      `the Pod must be <namespace>/<pod>, such as default/web, not ${JSON.stringify(positionals[0])}`,
    );

  const format = parseFormat(values['format']);
  if (typeof format !== 'string') return format;
  const range = parseTimeRange(values, Date.now());
  if ('kind' in range) return range;
  return withFolder(values, env, (folder) => ({
    ...range,
    format,
    capturesFolder: folder,
    pod,
    generation: typeof generation === 'string' ? Number(generation) : undefined,
    frozen: typeof frozen !== 'string' ? undefined : frozen === 'all' ? 'all' : Number(frozen),
    unreadSeconds,
  }));
}

function parsePod(text: string): { readonly namespace: string; readonly name: string } | undefined {
  const [namespace = '', name = '', ...more] = text.split('/');
  const isPod = podNamePatterns.namespace.test(namespace) && podNamePatterns.pod.test(name);
  return isPod && more.length === 0 ? { namespace, name } : undefined;
}

/** Parses the command line of `podcap list`. */
export function listArguments(
  args: readonly string[],
  env: NodeJS.ProcessEnv,
): ParsedArguments<ListArguments> {
  const parsed = parseCommandLine(args, { output: { type: 'string', short: 'o' }, ...commonOptions });
  if (parsed.kind === 'invalid') return parsed;
  const { values, positionals } = parsed;
  if (values['help'] === true) return { kind: 'help', text: listHelp };
  if (positionals.length > 0)
    return invalid(`podcap list takes no arguments, only options: ${JSON.stringify(positionals[0])}`);
  const output = values['output'] ?? 'table';
  if (output !== 'table' && output !== 'json')
    return invalid(`--output must be table or json, not ${JSON.stringify(output)}`);
  return withFolder(values, env, (folder) => ({ capturesFolder: folder, output }));
}

const commonOptions = { 'captures-folder': { type: 'string' } } as const satisfies OptionTypes;

function withFolder<Arguments>(
  values: OptionValues,
  env: NodeJS.ProcessEnv,
  make: (folder: string) => Arguments,
): ParsedArguments<Arguments> {
  const flag = values['captures-folder'];
  // As for the agent: a flag wins over the environment, and an empty value counts as not set.
  const folder =
    (typeof flag === 'string' && flag) || env[capturesFolder.env] || capturesFolder.default || '/captures';
  if (!folder.startsWith('/'))
    return invalid(
      `--captures-folder (${capturesFolder.env}) must be an absolute path, not ${JSON.stringify(folder)}`,
    );
  return { kind: 'arguments', arguments: make(folder) };
}
