import { parseArgs } from 'node:util';
import { settingDescriptions } from '../agent/settings.ts';

/** The command line of `podcap read`, parsed. */
export type ReadArguments = {
  readonly capturesFolder: string;
  readonly pod: { readonly namespace: string; readonly name: string } | { readonly uid: string };
  readonly generation: number | undefined;
};

/** The command line of `podcap list`, parsed. */
export type ListArguments = {
  readonly capturesFolder: string;
  readonly output: 'table' | 'json';
};

export type ParsedArguments<Arguments> =
  | { readonly kind: 'arguments'; readonly arguments: Arguments }
  | { readonly kind: 'help'; readonly text: string }
  | { readonly kind: 'invalid'; readonly message: string };

const { capturesFolder } = settingDescriptions;
const commonHelp = `  --captures-folder <path>   ${capturesFolder.help}
                             (or ${capturesFolder.env}; default: ${capturesFolder.default})
  -h, --help                 print this help`;

const readHelp = `Usage: podcap read <namespace>/<pod> [options]
       podcap read --uid <uid> [options]

Writes the captured packets of a Pod to standard output, as one capture file (pcap):

  kubectl exec -n kube-system <agent> -- podcap read default/web > web.pcap
  kubectl exec -n kube-system <agent> -- podcap read default/web | wireshark -k -i -

The output has all packets that are in the files when the command starts: whole, in order, without gaps, and only
once where two captures overlap. It does not follow the capture. All files are opened at the start, so that a slow
reader misses nothing while old files are deleted. Deleted files use disk space until the command ends.

If there were several Pods of that name, the one that was captured last is read. podcap list shows the UID of each.

Options:
  --uid <uid>                read the Pod with this UID
  --generation <number>      read only the files of one start of tcpdump: captres-<pod>.<generation>.pcap<index>
${commonHelp}
`;

const listHelp = `Usage: podcap list [options]

Lists the Pods whose packets are kept on this Node, with the times of the first and the last packet.
PACKETS is the number of packets in the files, as last recorded by the agent. Packets that two overlapping captures
both have count twice.

Options:
  -o, --output <format>      table (default) or json
${commonHelp}
`;

/** Parses the command line of `podcap read`. */
export function readArguments(
  args: readonly string[],
  env: NodeJS.ProcessEnv,
): ParsedArguments<ReadArguments> {
  const parsed = parse(args, {
    uid: { type: 'string' },
    generation: { type: 'string' },
    ...commonOptions,
  });
  if (parsed.kind === 'invalid') return parsed;
  const { values, positionals } = parsed;
  if (values['help'] === true) return { kind: 'help', text: readHelp };

  const { uid, generation } = values;
  if ((uid === undefined) === (positionals.length === 0) || positionals.length > 1)
    return invalid('either one <namespace>/<pod> or --uid <uid> is required');
  if (typeof uid === 'string' && !/^[A-Za-z0-9-]{1,36}$/.test(uid))
    return invalid(`--uid: ${JSON.stringify(uid)} is not allowed: the UID of a Pod is allowed`);
  if (typeof generation === 'string' && !/^[0-9]{1,9}$/.test(generation))
    return invalid(`--generation: ${JSON.stringify(generation)} is not allowed: a whole number is allowed`);
  const [, namespace, name] = /^([a-z0-9-]{1,63})\/([a-z0-9.-]{1,253})$/.exec(positionals[0] ?? '') ?? [];
  const pod = typeof uid === 'string' ? { uid } : namespace && name ? { namespace, name } : undefined;
  if (!pod)
    return invalid(
      `${JSON.stringify(positionals[0])} is not allowed: <namespace>/<pod> is allowed, for example default/web`,
    );

  return withFolder(values, env, (folder) => ({
    capturesFolder: folder,
    pod,
    generation: typeof generation === 'string' ? Number(generation) : undefined,
  }));
}

/** Parses the command line of `podcap list`. */
export function listArguments(
  args: readonly string[],
  env: NodeJS.ProcessEnv,
): ParsedArguments<ListArguments> {
  const parsed = parse(args, { output: { type: 'string', short: 'o' }, ...commonOptions });
  if (parsed.kind === 'invalid') return parsed;
  const { values, positionals } = parsed;
  if (values['help'] === true) return { kind: 'help', text: listHelp };
  if (positionals.length > 0)
    return invalid(
      `${JSON.stringify(positionals[0])} is not allowed: podcap list has no arguments, only options`,
    );
  const output = values['output'] ?? 'table';
  if (output !== 'table' && output !== 'json')
    return invalid(`--output: ${JSON.stringify(output)} is not allowed: table or json is allowed`);
  return withFolder(values, env, (folder) => ({ capturesFolder: folder, output }));
}

type Options = NonNullable<Parameters<typeof parseArgs>[0]>['options'];

const commonOptions = {
  'captures-folder': { type: 'string' },
  help: { type: 'boolean', short: 'h' },
} as const satisfies Options;

type Values = Readonly<Record<string, unknown>>;
type Invalid = { readonly kind: 'invalid'; readonly message: string };

function parse(
  args: readonly string[],
  options: NonNullable<Options>,
): { readonly kind: 'given'; readonly values: Values; readonly positionals: readonly string[] } | Invalid {
  try {
    return { kind: 'given', ...parseArgs({ args: [...args], options, allowPositionals: true }) };
  } catch (error) {
    // An unknown option, or one without a value: Node's message names it.
    return invalid(error instanceof Error ? error.message : String(error));
  }
}

function withFolder<Arguments>(
  values: Values,
  env: NodeJS.ProcessEnv,
  make: (folder: string) => Arguments,
): ParsedArguments<Arguments> {
  const flag = values['captures-folder'];
  // As for the agent: a flag wins over the environment, and an empty value counts as not set.
  const folder =
    (typeof flag === 'string' && flag) || env[capturesFolder.env] || capturesFolder.default || '/captures';
  if (!folder.startsWith('/'))
    return invalid(
      `--captures-folder (${capturesFolder.env}): ${JSON.stringify(folder)} is not allowed: an absolute path is allowed`,
    );
  return { kind: 'arguments', arguments: make(folder) };
}

function invalid(message: string): Invalid {
  return { kind: 'invalid', message };
}
