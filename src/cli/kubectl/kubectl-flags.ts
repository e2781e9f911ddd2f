import type { Kubectl } from './kubectl.ts';

/** A global flag of kubectl (`kubectl options`) that Podcap passes on. */
export type KubectlFlag = {
  readonly name: string;
  readonly short?: string;
  /** What its value is called in the help. A flag without one is a boolean: it takes a value only as --flag=false. */
  readonly value?: string;
  readonly isRepeatable?: true;
  readonly description: string;
};

/** A flag of kubectl in a command line, and how many arguments it has taken: 1, or 2 with a value of its own. */
export type GivenKubectlFlag =
  | { readonly kind: 'flag'; readonly flag: KubectlFlag; readonly value: string; readonly taken: 1 | 2 }
  | { readonly kind: 'problem'; readonly message: string };

/**
 * The flags that say which cluster and who the user is, in the order of `kubectl options` (1.36). Those about logs,
 * profiles and caches of kubectl are passed on as well, except for --warnings-as-errors, as nothing would act on it.
 */
export const kubectlFlags: readonly KubectlFlag[] = [
  { name: 'as', value: 'USER', description: 'User to impersonate' },
  { name: 'as-group', value: 'GROUP', isRepeatable: true, description: 'Group to impersonate' },
  { name: 'as-uid', value: 'UID', description: 'UID to impersonate' },
  {
    name: 'as-user-extra',
    value: 'KEY=VALUE',
    isRepeatable: true,
    description: 'Extra field of the user to impersonate',
  },
  { name: 'cache-dir', value: 'FOLDER', description: 'Cache folder of kubectl' },
  {
    name: 'certificate-authority',
    value: 'FILE',
    description: 'Certificates of the authority of the API server',
  },
  { name: 'client-certificate', value: 'FILE', description: 'Client certificate' },
  { name: 'client-key', value: 'FILE', description: 'Key of the client certificate' },
  { name: 'cluster', value: 'NAME', description: 'Cluster of the kubeconfig' },
  { name: 'context', value: 'NAME', description: 'Context of the kubeconfig' },
  { name: 'disable-compression', description: 'Ask the API server for uncompressed answers' },
  {
    name: 'insecure-skip-tls-verify',
    description: 'Do not check the certificate of the API server, which is insecure',
  },
  { name: 'kubeconfig', value: 'FILE', description: 'The kubeconfig' },
  { name: 'kuberc', value: 'FILE', description: 'Preferences of kubectl' },
  { name: 'log-flush-frequency', value: 'DURATION', description: 'How often kubectl writes its log' },
  { name: 'match-server-version', description: 'Require an API server of the version of kubectl' },
  {
    name: 'namespace',
    short: 'n',
    value: 'NAMESPACE',
    description: 'Namespace; that of the context unless given',
  },
  { name: 'password', value: 'PASSWORD', description: 'Password for basic authentication' },
  { name: 'profile', value: 'NAME', description: 'Profile of kubectl to record' },
  { name: 'profile-output', value: 'FILE', description: 'File for the profile' },
  {
    name: 'request-timeout',
    value: 'DURATION',
    description: 'Longest wait for an answer of the API server: 1s, 2m, 3h; 0 is none',
  },
  { name: 'server', short: 's', value: 'URL', description: 'Address of the API server' },
  { name: 'tls-server-name', value: 'NAME', description: 'Name in the certificate of the API server' },
  { name: 'token', value: 'TOKEN', description: 'Bearer token' },
  { name: 'user', value: 'NAME', description: 'User of the kubeconfig' },
  { name: 'username', value: 'NAME', description: 'User name for basic authentication' },
  { name: 'v', short: 'v', value: 'LEVEL', description: 'How much kubectl logs: 0 to 10' },
  { name: 'vmodule', value: 'PATTERN=LEVEL', description: 'The same for single files of kubectl' },
];

/**
 * The flag of kubectl at the beginning of these arguments, in any form that kubectl knows (--flag value, --flag=value,
 * -n value, -n=value, -nvalue); undefined if they begin with something else. `-v` alone is a flag of kubectl with a
 * value, so a command must look for its own options first.
 */
export function kubectlFlagAt(args: readonly string[]): GivenKubectlFlag | undefined {
  const [argument = ''] = args;
  const long = /^--([^=]+)(?:=(.*))?$/s.exec(argument);
  if (long) return given(flagNamed(long[1]), { argument, value: long[2], next: args[1] });
  const short = /^-([^-])(=?)(.*)$/s.exec(argument);
  const flag = short ? kubectlFlags.find((each) => each.short === short[1]) : undefined;
  const value = argument.length > 2 ? short?.[3] : undefined;
  return given(flag, { argument, value, next: args[1] });
}

/** The global flag with that long name; undefined if kubectl has none that is passed on. */
function flagNamed(name: string | undefined): KubectlFlag | undefined {
  return kubectlFlags.find((each) => each.name === name);
}

type Written = {
  readonly argument: string;
  readonly value: string | undefined;
  readonly next: string | undefined;
};

function given(
  flag: KubectlFlag | undefined,
  { argument, value, next }: Written,
): GivenKubectlFlag | undefined {
  if (!flag) return undefined;
  if (flag.value === undefined && !isBoolean(value ?? 'true')) {
    return { kind: 'problem', message: `--${flag.name} is true or false, not ${JSON.stringify(value)}` };
  }
  if (value !== undefined || flag.value === undefined) {
    return { kind: 'flag', flag, value: value ?? 'true', taken: 1 };
  }
  if (next === undefined) {
    return { kind: 'problem', message: `${argument} needs a value: ${argument} ${flag.value}` };
  }
  return { kind: 'flag', flag, value: next, taken: 2 };
}

/** What Go's strconv.ParseBool accepts. */
function isBoolean(value: string): boolean {
  return /^(1|t|T|TRUE|true|True|0|f|F|FALSE|false|False)$/.test(value);
}

/** The kubectl with what was given for it, wherever it stood in the command line. Of two namespaces, the last one holds. */
export function kubectlWith(
  program: string,
  flags: readonly (GivenKubectlFlag & { readonly kind: 'flag' })[],
  env: NodeJS.ProcessEnv,
): Kubectl {
  const namespaces = flags.filter(({ flag }) => flag.name === 'namespace');
  return {
    program,
    flags: flags
      .filter(({ flag }) => flag.name !== 'namespace')
      .map(({ flag, value }) => `--${flag.name}=${value}`),
    // As with kubectl, an empty one is none.
    namespace: namespaces.at(-1)?.value || undefined,
    env,
  };
}
