import { copyFile, mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { temporaryFolder } from '../../src/testbed/temporary-folder.ts';
import { output } from '../shell.ts';
import { executableRuntimes, fetchRuntime, type NodeRuntime, ownRuntime } from './node-runtimes.ts';

/**
 * Writes the bundle and a Node.js as one program for a platform, which need not be this machine's. On macOS with arm64, it
 * must be signed before it runs: `codesign --sign - --force`.
 */
export async function buildExecutable(bundle: string, runtime: NodeRuntime, outfile: string): Promise<void> {
  const [{ node: builder }, { node }] = await Promise.all([
    fetchRuntime(ownRuntime(executableRuntimes)),
    fetchRuntime(runtime),
  ]);
  await using folder = await temporaryFolder();
  const executable = join(folder.path, 'node');
  await copyFile(node, executable);
  await withoutSymbols(executable, runtime);
  const config = join(folder.path, 'config.json');
  await mkdir(dirname(outfile), { recursive: true });
  await writeFile(
    config,
    JSON.stringify({
      main: bundle,
      executable,
      output: outfile,
      disableExperimentalSEAWarning: true,
      // NODE_OPTIONS and --node-options are for Node.js itself, which nobody sees here.
      execArgvExtension: 'none',
    }),
  );
  await output(builder, ['--build-sea', config]);
}

/** Node.js for Linux is a fifth smaller without them; that for macOS has few. */
async function withoutSymbols(executable: string, { os, cpu }: NodeRuntime): Promise<void> {
  if (os !== 'linux') return;
  const prefix = { x64: 'x86_64', arm64: 'aarch64' }[cpu];
  await output(cpu === process.arch ? 'strip' : `${prefix}-linux-gnu-strip`, [executable]);
}
