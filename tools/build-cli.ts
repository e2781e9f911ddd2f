import { chmod, mkdir, rm, symlink } from 'node:fs/promises';
import { build } from 'esbuild';
import { checkout } from './target.ts';

const folder = `${checkout}/build/cli`;

/**
 * `make cli`: writes build/kubectl-podcap, which runs in place. It is a link, because Node.js takes a file without a suffix
 * for a module of the package around it: the file that it names is CommonJS by its suffix.
 */
export async function buildCli(): Promise<number> {
  await mkdir(folder, { recursive: true });
  const bundle = `${folder}/kubectl-podcap.cjs`;
  await bundleCli(bundle);
  const link = `${checkout}/build/kubectl-podcap`;
  await rm(link, { force: true });
  await symlink('cli/kubectl-podcap.cjs', link);
  process.stdout.write(`${link}\n`);
  return 0;
}

/** Bundles the program for Node.js 20 and later. Returns the files that it was made from. */
export async function bundleCli(outfile: string): Promise<readonly string[]> {
  const { metafile } = await build({
    entryPoints: [`${checkout}/src/cli/main.ts`],
    outfile,
    absWorkingDir: checkout,
    bundle: true,
    platform: 'node',
    // Which of the language Node.js 20 lacks, esbuild writes in another way; what its library lacks is added.
    target: 'node20',
    inject: [`${checkout}/src/cli/node-20.ts`],
    format: 'cjs',
    minify: true,
    keepNames: true,
    legalComments: 'none',
    metafile: true,
    banner: { js: '#!/usr/bin/env node' },
  });
  await chmod(outfile, 0o755);
  return Object.keys(metafile.inputs);
}
