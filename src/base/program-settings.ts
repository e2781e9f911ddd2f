import { parseArgs } from 'node:util';
import * as v from 'valibot';

/** How a setting is given and described: for `--help`, docs/settings.md and error messages. */
export type SettingDescription = {
  readonly flag: string;
  readonly env: string;
  /** Without a default the setting is required. */
  readonly default?: string;
  readonly help: string;
};

export type SettingDescriptions<Settings> = Readonly<Record<keyof Settings & string, SettingDescription>>;

export type SettingsResult<Settings> =
  | { readonly kind: 'settings'; readonly settings: Settings }
  | { readonly kind: 'help'; readonly text: string }
  | { readonly kind: 'invalid'; readonly message: string };

/** The settings of one program. */
export type ProgramSettings<Settings> = {
  readonly schema: v.GenericSchema<unknown, Settings>;
  /** In the order of the documents. */
  readonly descriptions: SettingDescriptions<Settings>;
  /** What --help prints before the settings. */
  readonly introduction: readonly string[];
};

/** A flag overrides its environment variable, which overrides the default; an empty value counts as not given. */
export function readProgramSettings<Settings>(
  program: ProgramSettings<Settings>,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
): SettingsResult<Settings> {
  const flags = readFlags(program, args);
  if (flags.kind !== 'flags') return flags;
  const given = described(program).map(
    ([name, { flag, env: variable, default: preset }]) =>
      [name, flags.values[flag] || env[variable] || preset] as const,
  );
  const parsed = v.safeParse(program.schema, Object.fromEntries(given));
  if (parsed.success) return { kind: 'settings', settings: parsed.output };
  return {
    kind: 'invalid',
    message: parsed.issues.map((issue) => problemOf(program, issue)).join('\n'),
  };
}

/** What --help prints: one line for each setting. */
export function settingsHelp<Settings>(program: ProgramSettings<Settings>): string {
  const lines = described(program).map(([, { flag, env, default: preset, help }]) => {
    return `  --${flag.padEnd(24)} ${env.padEnd(32)} ${help} (${preset === undefined ? 'required' : preset || 'none'})`;
  });
  return [
    ...program.introduction,
    '',
    '  flag                       environment                      what it sets (default)',
    ...lines,
    '',
  ].join('\n');
}

type Flags = { readonly kind: 'flags'; readonly values: Readonly<Record<string, string>> };

function readFlags<Settings>(
  program: ProgramSettings<Settings>,
  args: readonly string[],
): Flags | Exclude<SettingsResult<Settings>, { kind: 'settings' }> {
  const options = Object.fromEntries(
    described(program).map(([, { flag }]) => [flag, { type: 'string' }] as const),
  );
  try {
    const { values } = parseArgs({ args: [...args], options: { ...options, help: { type: 'boolean' } } });
    if (values['help'] === true) return { kind: 'help', text: settingsHelp(program) };
    const texts = Object.entries(values).flatMap(([flag, value]) =>
      typeof value === 'string' ? [[flag, value] as const] : [],
    );
    return { kind: 'flags', values: Object.fromEntries(texts) };
  } catch (error) {
    // An unknown flag, or one without its value: Node's message names it.
    return { kind: 'invalid', message: error instanceof Error ? error.message : String(error) };
  }
}

function described<Settings>({ descriptions }: ProgramSettings<Settings>): [string, SettingDescription][] {
  return Object.entries<SettingDescription>(descriptions);
}

function problemOf<Settings>(program: ProgramSettings<Settings>, issue: v.BaseIssue<unknown>): string {
  const description = described(program).find(([name]) => name === v.getDotPath(issue))?.[1];
  const names = description ? `--${description.flag} (${description.env})` : 'settings';
  if (issue.input === undefined) return `${names} is required: ${description?.help}`;
  return `${names} must be ${issue.message}, not ${JSON.stringify(issue.input)}`;
}

/** Any text but the empty one. */
export function textSetting() {
  return v.pipe(v.string(), v.minLength(1));
}

export function absolutePathSetting() {
  return v.pipe(v.string(), v.startsWith('/', 'an absolute path'));
}

/** Undefined for an empty text. */
export function pathOrNoneSetting() {
  return v.pipe(
    v.string(),
    v.check((given) => given === '' || given.startsWith('/'), 'an absolute path'),
    v.transform((given) => (given === '' ? undefined : given)),
  );
}

const objectWords = 'a namespace and a name, such as kube-system/podcap';

/** `namespace/name`. */
export function objectSetting() {
  return v.pipe(
    v.string(),
    v.regex(/^[a-z0-9-]{1,63}\/[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/, objectWords),
    v.transform((given) => {
      const [namespace = '', name = ''] = given.split('/');
      return { namespace, name };
    }),
  );
}

/** The same; undefined for an empty text. */
export function objectOrNoneSetting() {
  return v.pipe(
    v.string(),
    v.regex(/^([a-z0-9-]{1,63}\/[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?)?$/, objectWords),
    v.transform((given) => {
      const [namespace, name] = given.split('/');
      return namespace === undefined || name === undefined ? undefined : { namespace, name };
    }),
  );
}

export function wholeNumberSetting(least: number, most: number) {
  const { isAllowed, message } = wholeNumbers(least, most);
  return v.pipe(v.string(), v.check(isAllowed, message), v.transform(Number));
}

/** Undefined for an empty text. */
export function wholeNumberOrNoneSetting(least: number, most: number) {
  const { isAllowed, message } = wholeNumbers(least, most);
  return v.pipe(
    v.string(),
    v.check((given) => given === '' || isAllowed(given), message),
    v.transform((given) => (given === '' ? undefined : Number(given))),
  );
}

export function logLevelSetting() {
  return v.picklist(['debug', 'info', 'warn', 'error'], 'debug, info, warn or error');
}

function wholeNumbers(least: number, most: number) {
  return {
    message: `a whole number from ${least} to ${most}`,
    isAllowed: (given: string) =>
      /^[0-9]{1,9}$/.test(given) && Number(given) >= least && Number(given) <= most,
  };
}
