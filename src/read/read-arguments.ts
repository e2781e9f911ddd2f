import { parseArgs } from 'node:util';
import { settingDescriptions } from '../agent/settings.ts';

export type ReadArguments = {
  readonly capturesFolder: string;
  readonly pod: { readonly namespace: string; readonly name: string } | { readonly uid: string };
  readonly generation: number | undefined;
};

export type ListArguments = {
  readonly capturesFolder: string;
  readonly output: 'table' | 'json';
};

export type ParsedArguments<Arguments> =
  | { readonly kind: 'arguments'; readonly arguments: Arguments }
  | { readonly kind: 'help'; readonly text: string }
  | { readonly kind: 'invalid'; readonly message: string };

const { capturesFolder } = settingDescriptions;
const capturesFolderHelp = `  --captures-folder <path>   ${capturesFolder.help}
                             (${capturesFolder.env}; ${capturesFolder.default})`;

const readHelp = `podcap read <namespace>/<pod>
podcap read --uid <uid>

Writes what is kept of a Pod's packets to standard output, as one capture file (pcap):

  kubectl exec -n kube-system <agent> -- podcap read default/web > web.pcap
  kubectl exec -n kube-system <agent> -- podcap read default/web | wireshark -k -i -

It is what stood in the files when the command was started: whole packets, in order, none left out, each once even
where two captures overlapped. It does not follow. All files are opened at the start, so a slow reader misses
nothing while the ring goes on; until it has ended, the files that it reads take up the disk, deleted or not.

Of several Pods of that name the one that was captured last is read; podcap list has the UID of each.

  --uid <uid>                the Pod of that UID
  --generation <number>      the files of one start of tcpdump alone: captres-<pod>.<generation>.pcap<index>
${capturesFolderHelp}
`;

const listHelp = `podcap list

Lists the Pods of which packets are kept on this Node, with the times of the first and the last packet.
PACKETS is how many are kept, as the agent noted last; those that two captures have both are counted twice.

  -o, --output <format>      table (default) or json
${capturesFolderHelp}
`;

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
    return invalid('either one <namespace>/<pod> or --uid <uid> is allowed');
  if (typeof uid === 'string' && !/^[A-Za-z0-9-]{1,36}$/.test(uid))
    return invalid(`--uid: ${JSON.stringify(uid)} is not allowed: a Pod's UID is`);
  if (typeof generation === 'string' && !/^[0-9]{1,9}$/.test(generation))
    return invalid(`--generation: ${JSON.stringify(generation)} is not allowed: a whole number is`);
  const [, namespace, name] = /^([a-z0-9-]{1,63})\/([a-z0-9.-]{1,253})$/.exec(positionals[0] ?? '') ?? [];
  const pod = typeof uid === 'string' ? { uid } : namespace && name ? { namespace, name } : undefined;
  if (!pod)
    return invalid(`${JSON.stringify(positionals[0])} is not allowed: <namespace>/<pod> is, as default/web`);

  return withFolder(values, env, (folder) => ({
    capturesFolder: folder,
    pod,
    generation: typeof generation === 'string' ? Number(generation) : undefined,
  }));
}

export function listArguments(
  args: readonly string[],
  env: NodeJS.ProcessEnv,
): ParsedArguments<ListArguments> {
  const parsed = parse(args, { output: { type: 'string', short: 'o' }, ...commonOptions });
  if (parsed.kind === 'invalid') return parsed;
  const { values, positionals } = parsed;
  if (values['help'] === true) return { kind: 'help', text: listHelp };
  if (positionals.length > 0) return invalid(`${JSON.stringify(positionals[0])} is not allowed: options are`);
  const output = values['output'] ?? 'table';
  if (output !== 'table' && output !== 'json')
    return invalid(`--output: ${JSON.stringify(output)} is not allowed: table or json is`);
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
    // An unknown option, or one without its value: Node's message names it.
    return invalid(error instanceof Error ? error.message : String(error));
  }
}

function withFolder<Arguments>(
  values: Values,
  env: NodeJS.ProcessEnv,
  make: (folder: string) => Arguments,
): ParsedArguments<Arguments> {
  const flag = values['captures-folder'];
  // As with the agent: a flag wins over the environment, an empty one counts as not given.
  const folder =
    (typeof flag === 'string' && flag) || env[capturesFolder.env] || capturesFolder.default || '/captures';
  if (!folder.startsWith('/'))
    return invalid(
      `--captures-folder (${capturesFolder.env}): ${JSON.stringify(folder)} is not allowed: an absolute path is`,
    );
  return { kind: 'arguments', arguments: make(folder) };
}

function invalid(message: string): Invalid {
  return { kind: 'invalid', message };
}
