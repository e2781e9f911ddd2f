import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';

/** How the image starts Node: the flags, and the variables that it adds to the environment. */
export type ImageStart = {
  /** For the agent. */
  readonly flags: readonly string[];
  /** For the commands. */
  readonly commandFlags: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly hub: Pick<ImageStart, 'flags' | 'environment'>;
};

/** Reads them from the Dockerfile; throws if any are missing. */
export async function imageStart(): Promise<ImageStart> {
  const dockerfile = await readFile(resolve(import.meta.dirname, '../../Dockerfile'), 'utf8');
  const entrypoint = /^ENTRYPOINT .*$/m.exec(dockerfile)?.[0] ?? '';
  const flags = [...entrypoint.matchAll(/"(--[a-z-]+(?:=\d+)?)"/g)].flatMap(([, flag]) => flag ?? []);
  const flagsOf = (program: string) =>
    new RegExp(`'exec node (--.*) /usr/lib/podcap/${program}[.]cjs`).exec(dockerfile)?.[1]?.split(' ') ?? [];
  const commandFlags = flagsOf('\\$program');
  const hubFlags = flagsOf('hub');
  const environment = variablesOf(/^ENV (.*)$/m.exec(dockerfile)?.[1]);
  const hubEnvironment = variablesOf(/= hub \]; then export (.*)' \\$/m.exec(dockerfile)?.[1]);
  if ([flags, commandFlags, hubFlags, environment, hubEnvironment].some((part) => isEmpty(part)))
    throw new Error('no flags of Node or no environment in the Dockerfile');
  return {
    flags,
    commandFlags,
    environment,
    hub: { flags: hubFlags, environment: { ...environment, ...hubEnvironment } },
  };
}

function variablesOf(text = ''): Readonly<Record<string, string>> {
  const variables = [...text.matchAll(/([A-Z_]+)=(\S+)/g)];
  return Object.fromEntries(variables.map(([, name = '', value = '']) => [name, value]));
}

function isEmpty(part: object): boolean {
  return Object.keys(part).length === 0;
}
