import { mkdir, readdir, rename, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { ownedName } from './owned-names.ts';
import { run } from './run-program.ts';

const repository = resolve(import.meta.dirname, '../..');
const flags = ['-O2', '-Wall', '-Wextra', '-Werror'];

/** What the agent starts tcpdump with, compiled for tests; gives back the folder. */
export async function compileNative(): Promise<string> {
  const [spawner] = await Promise.all([compileSpawner(), compilePreload()]);
  return dirname(spawner);
}

/** The program that starts tcpdump; gives back its path. */
export async function compileSpawner(): Promise<string> {
  return await compile({
    ...(await filesOf('src/agent/spawner')),
    output: 'podcap-spawner',
    linking: { before: [], after: [] },
  });
}

/** The library that drains tcpdump's last block, compiled for tests; gives back the path for LD_PRELOAD. */
export async function compilePreload(): Promise<string> {
  return await compile({
    ...(await filesOf('src/agent/preload')),
    output: 'podcap-preload.so',
    linking: { before: ['-shared', '-fPIC'], after: ['-ldl'] },
  });
}

async function filesOf(folder: string): Promise<Pick<Compilation, 'sources' | 'headers'>> {
  const names = await readdir(join(repository, folder));
  const paths = (ending: string) =>
    names.filter((name) => name.endsWith(ending)).map((name) => join(repository, folder, name));
  return { sources: paths('.c'), headers: paths('.h') };
}

/** One of the testbed's own small programs: src/testbed/<name>.c as build/testbed-<name>. */
export function compileTestProgram(
  name: 'bypass' | 'refuse-syscall' | 'sender' | 'shut-down-disk' | 'sink' | 'tcp-pump' | 'witness',
): Promise<string> {
  return compile({
    sources: [join(import.meta.dirname, `${name}.c`)],
    output: `testbed-${name}`,
    linking: { before: [], after: [] },
  });
}

type Compilation = {
  readonly sources: readonly string[];
  readonly headers?: readonly string[];
  readonly output: string;
  readonly linking: { readonly before: readonly string[]; readonly after: readonly string[] };
};

/** Compiles into build/, when what is there is older than one of these files, and gives back the path. */
async function compile({ sources, headers = [], output, linking }: Compilation): Promise<string> {
  const path = join(repository, 'build', output);
  const changed = await Promise.all([...sources, ...headers].map(modified));
  if ((await modified(path)) > Math.max(...changed)) return path;
  await mkdir(dirname(path), { recursive: true });
  // Test files run at the same time: each compiles for itself, and the rename lets none see half a file.
  const unfinished = join(dirname(path), `.${basename(path)}-${ownedName()}`);
  await run(['gcc', ...flags, ...linking.before, '-o', unfinished, ...sources, ...linking.after]);
  await rename(unfinished, path);
  return path;
}

async function modified(path: string): Promise<number> {
  try {
    return (await stat(path)).mtimeMs;
  } catch {
    return Number.NEGATIVE_INFINITY;
  }
}
