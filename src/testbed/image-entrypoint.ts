import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';

/** How the image starts Node for the agent: the flags, and the variables that it adds to the environment. */
export type ImageStart = {
  readonly flags: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
};

/** Reads them from the Dockerfile; throws if either is missing. */
export async function imageStart(): Promise<ImageStart> {
  const dockerfile = await readFile(resolve(import.meta.dirname, '../../Dockerfile'), 'utf8');
  const entrypoint = /^ENTRYPOINT .*$/m.exec(dockerfile)?.[0] ?? '';
  const flags = [...entrypoint.matchAll(/"(--[a-z-]+(?:=\d+)?)"/g)].flatMap(([, flag]) => flag ?? []);
  const variables = [...(/^ENV (.*)$/m.exec(dockerfile)?.[1]?.matchAll(/([A-Z_]+)=(\S+)/g) ?? [])];
  if (flags.length === 0 || variables.length === 0)
    throw new Error('no flags of Node or no environment in the Dockerfile');
  return {
    flags,
    environment: Object.fromEntries(variables.map(([, name = '', value = '']) => [name, value])),
  };
}
