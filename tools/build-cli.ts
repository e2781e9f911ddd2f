import { chmod, copyFile, mkdir, rm, symlink, writeFile } from 'node:fs/promises';
import { build, type Metafile } from 'esbuild';
import { cliCommands } from '../src/cli/cli-commands.ts';
import { manPage } from '../src/cli/help/man-page.ts';
import { clientVersion } from '../src/cli/version/client-version.ts';
import { checkout } from './target.ts';

/** `make cli`: builds kubectl podcap in build/, where it runs in place. */
export async function makeCli(): Promise<number> {
  await buildCli(`${checkout}/build`);
  process.stdout.write(`${checkout}/build/kubectl-podcap\n`);
  return 0;
}

/**
 * Builds the program in a folder that can be on PATH. What is run there is a link, because Node.js takes a file without a
 * suffix for a module of the package around it: the file that it names is CommonJS by its suffix. Returns what the program was made from.
 */
export async function buildCli(folder: string): Promise<Metafile> {
  await mkdir(`${folder}/cli`, { recursive: true });
  const metafile = await bundleCli(`${folder}/cli/kubectl-podcap.cjs`);
  await rm(`${folder}/kubectl-podcap`, { force: true });
  await symlink('cli/kubectl-podcap.cjs', `${folder}/kubectl-podcap`);
  await copyFile(completionProgram, `${folder}/kubectl_complete-podcap`);
  await writeFile(
    `${folder}/kubectl-podcap.1`,
    manPage(cliCommands, { version: clientVersion, date: today() }),
  );
  return metafile;
}

/** What kubectl's own completion runs for the plugin. */
const completionProgram = `${checkout}/src/cli/completion/kubectl_complete-podcap`;

/** In UTC. As for other builds, SOURCE_DATE_EPOCH makes it that of the source. */
function today(): string {
  const epochSeconds = process.env['SOURCE_DATE_EPOCH'];
  const date = epochSeconds === undefined ? new Date() : new Date(Number(epochSeconds) * 1_000);
  return date.toISOString().slice(0, 10);
}

/** The oldest Node.js that the bundle is made for: it has Symbol.asyncDispose (20.4) and AbortSignal.any (20.3). */
export const oldestNode = { major: 20, minor: 4, text: '20.4' } as const;

/** It runs before what an older one does not have, and is nothing that it could not read. */
const versionCheck =
  "(function () { var is = process.versions.node.split('.').map(Number); " +
  `if (is[0] > ${oldestNode.major} || (is[0] === ${oldestNode.major} && is[1] >= ${oldestNode.minor})) return; ` +
  `console.error('podcap: kubectl podcap needs Node.js ${oldestNode.text} or later, and ' + process.execPath + ' is ' + process.version); ` +
  'process.exit(1); })();';

/** Bundles the program for Node.js 20.4 and later. */
async function bundleCli(outfile: string): Promise<Metafile> {
  const { metafile } = await build({
    entryPoints: [`${checkout}/src/cli/main.ts`],
    outfile,
    absWorkingDir: checkout,
    bundle: true,
    platform: 'node',
    // What of the language Node.js 20 lacks, esbuild writes in another way; what of the library, node-20.ts adds.
    target: `node${oldestNode.text}`,
    inject: [`${checkout}/src/cli/node-20.ts`],
    format: 'cjs',
    minify: true,
    keepNames: true,
    legalComments: 'none',
    metafile: true,
    banner: { js: `#!/usr/bin/env node\n"use strict";\n${versionCheck}` },
  });
  await chmod(outfile, 0o755);
  return metafile;
}
