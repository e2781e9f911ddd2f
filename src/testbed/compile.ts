import { mkdir, readdir, rename, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { ownedName } from './owned-names.ts';
import { run } from './run-program.ts';

const repository = resolve(import.meta.dirname, '../..');
/** What the image is compiled with, too (Dockerfile), and what clang and editors read. */
const flagsFile = join(repository, 'src/compile_flags.txt');

/** Compiles the agent's C programs: the spawner, the preload libraries and the interface probe; returns their folder. */
export async function compileNative(): Promise<string> {
  const [path] = await Promise.all([
    compileSpawner(),
    compilePreload(),
    compileTapPreload(),
    compile(await interfaceProbe()),
  ]);
  return dirname(path);
}

/** Compiles the program that starts tcpdump; returns its path. */
export async function compileSpawner(): Promise<string> {
  return await compile(await spawner());
}

/** Compiles the preload library; returns its path, for LD_PRELOAD. */
export async function compilePreload(): Promise<string> {
  return await compile(await preload());
}

/** Compiles the preload library of taps; returns its path. */
export async function compileTapPreload(): Promise<string> {
  return await compile(await tapPreload());
}

/** Compiles the agent's C programs for arm64, with the name of Debian's compiler for it; returns their paths. */
export async function compileNativeForArm64(): Promise<string[]> {
  const programs = await Promise.all([spawner(), preload(), tapPreload(), interfaceProbe()]);
  const forArm64 = { compiler: 'aarch64-linux-gnu-gcc', folder: 'arm64' } as const;
  return await Promise.all(programs.map((program) => compile({ ...program, ...forArm64 })));
}

async function spawner(): Promise<Compilation> {
  return { ...(await filesOf('src/agent/spawner')), output: 'podcap-spawner' };
}

async function preload(): Promise<Compilation> {
  return { ...(await filesOf('src/agent/preload')), output: 'podcap-preload.so', linking: ofLibrary };
}

async function tapPreload(): Promise<Compilation> {
  return { ...(await filesOf('src/agent/tap-preload')), output: 'podcap-tap-preload.so', linking: ofLibrary };
}

const ofLibrary = { before: ['-shared', '-fPIC'], after: ['-ldl'] };

async function interfaceProbe(): Promise<Compilation> {
  return { ...(await filesOf('src/agent/interface-probe')), output: 'podcap-interface-probe' };
}

/** Compiles a program that reads messages as the preload library does (agent/testing); returns its path. */
export async function compileFilesToKeepReader(): Promise<string> {
  const agent = join(repository, 'src/agent');
  return await compile({
    sources: [join(agent, 'testing/files-to-keep-reader.c'), join(agent, 'preload/files-to-keep.c')],
    headers: [join(agent, 'preload/files-to-keep.h')],
    output: 'testbed-files-to-keep-reader',
  });
}

async function filesOf(folder: string): Promise<Pick<Compilation, 'sources' | 'headers'>> {
  const names = await readdir(join(repository, folder));
  const paths = (ending: string) =>
    names.filter((name) => name.endsWith(ending)).map((name) => join(repository, folder, name));
  return { sources: paths('.c'), headers: paths('.h') };
}

/** Compiles one of the testbed's programs, src/testbed/<name>.c; returns its path, build/testbed-<name>. */
export function compileTestProgram(
  name:
    | 'bypass'
    | 'frames'
    | 'hold-slots'
    | 'refuse-syscall'
    | 'sender'
    | 'set-gro'
    | 'shut-down-disk'
    | 'sink'
    | 'tcp-pump'
    | 'tun'
    | 'witness',
): Promise<string> {
  return compile({ sources: [join(import.meta.dirname, `${name}.c`)], output: `testbed-${name}` });
}

type Compilation = {
  readonly sources: readonly string[];
  readonly headers?: readonly string[];
  /** The file's name in build/, or in a folder of it. */
  readonly output: string;
  readonly folder?: string;
  /** gcc unless set. */
  readonly compiler?: string;
  /** Options before and after the sources. */
  readonly linking?: { readonly before: readonly string[]; readonly after: readonly string[] };
};

/** Compiles into build/, unless the file there is newer than all that it is made of; returns its path. */
async function compile({
  sources,
  headers = [],
  output,
  folder = '',
  compiler = 'gcc',
  linking,
}: Compilation): Promise<string> {
  const path = join(repository, 'build', folder, output);
  const changed = await Promise.all([flagsFile, ...sources, ...headers].map(modified));
  if ((await modified(path)) > Math.max(...changed)) return path;
  await mkdir(dirname(path), { recursive: true });
  // Test files run at the same time: each compiles for itself, and the rename shows no other an incomplete file.
  const unfinished = join(dirname(path), `.${basename(path)}-${ownedName()}`);
  const { before = [], after = [] } = linking ?? {};
  await run([compiler, `@${flagsFile}`, ...before, '-o', unfinished, ...sources, ...after]);
  await rename(unfinished, path);
  return path;
}

/** When the file was changed last, in ms; -Infinity if it does not exist. */
async function modified(path: string): Promise<number> {
  try {
    return (await stat(path)).mtimeMs;
  } catch {
    return Number.NEGATIVE_INFINITY;
  }
}
