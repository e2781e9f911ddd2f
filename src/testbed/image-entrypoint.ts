import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';

/** How the image starts Node: the flags, and the variables that it adds to the environment. */
export type ImageStart = {
  /** For the agent. */
  readonly flags: readonly string[];
  /** For the commands and the hub. */
  readonly commandFlags: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
};

/** Reads them from the Dockerfile; throws if any are missing. */
export async function imageStart(): Promise<ImageStart> {
  const dockerfile = await readFile(resolve(import.meta.dirname, '../../Dockerfile'), 'utf8');
  const entrypoint = /^ENTRYPOINT .*$/m.exec(dockerfile)?.[0] ?? '';
  const flags = [...entrypoint.matchAll(/"(--[a-z-]+(?:=\d+)?)"/g)].flatMap(([, flag]) => flag ?? []);
  const commandFlags = /'exec node (--.*) \/usr\/lib\/podcap\//.exec(dockerfile)?.[1]?.split(' ') ?? [];
  const variables = [...(/^ENV (.*)$/m.exec(dockerfile)?.[1]?.matchAll(/([A-Z_]+)=(\S+)/g) ?? [])];
  if (flags.length === 0 || commandFlags.length === 0 || variables.length === 0)
    throw new Error('no flags of Node or no environment in the Dockerfile');
  return {
    flags,
    commandFlags,
    environment: Object.fromEntries(variables.map(([, name = '', value = '']) => [name, value])),
  };
}
