import { createHash } from 'node:crypto';
import { copyFile, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { clientVersion } from '../../src/cli/version/client-version.ts';
import { temporaryFolder } from '../../src/testbed/temporary-folder.ts';
import { buildCli } from '../build-cli.ts';
import { Failed, output } from '../shell.ts';
import { checkout } from '../target.ts';
import { goArchitectures, krewManifest, type ReleasedArchive } from './krew-manifest.ts';
import { bundleLicenses, executableLicenses } from './licenses.ts';
import { executableRuntimes, fetchRuntime, type NodeRuntime } from './node-runtimes.ts';
import { packNpm } from './npm-package.ts';
import { buildExecutable } from './single-executable.ts';

const executables = `${checkout}/build/executables`;
const release = `${checkout}/build/release`;

/** `make cli-executables`: the program and Node.js as one file, for each platform, in build/executables. */
export async function makeExecutables(): Promise<number> {
  await buildCli(`${checkout}/build`);
  for (const runtime of executableRuntimes) {
    const outfile = executableOf(runtime);
    await rm(outfile, { force: true });
    await buildExecutable(`${checkout}/build/cli/kubectl-podcap.cjs`, runtime, outfile);
    say(outfile);
  }
  return 0;
}

/**
 * `make cli-release`: what is published, in build/release: the npm package, and archives of the executables that are
 * there. With $RELEASE_URL, where these will be, and $HOMEPAGE, the repository's page, also krew's manifest.
 */
export async function makeRelease(): Promise<number> {
  await rm(release, { recursive: true, force: true });
  await mkdir(release, { recursive: true });
  const { RELEASE_URL: url, HOMEPAGE: homepage } = process.env;
  say(await packNpm(release, homepage || undefined));
  await rm(`${release}/npm`, { recursive: true });
  const archives: ReleasedArchive[] = [];
  for (const runtime of executableRuntimes) {
    const path = await archive(runtime);
    say(path);
    const { os, cpu } = runtime;
    archives.push({
      os,
      cpu,
      url: `${url}/${basename(path)}`,
      sha256: await sha256(path),
    });
  }
  if (url && homepage) {
    const manifest = `${release}/podcap.yaml`;
    await writeFile(manifest, krewManifest(archives, { version: clientVersion, homepage }));
    say(manifest);
  }
  return 0;
}

function executableOf({ os, cpu }: NodeRuntime): string {
  return `${executables}/kubectl-podcap-${os}-${goArchitectures[cpu]}`;
}

/** What a person unpacks into a folder of PATH; krew links kubectl-podcap alone. */
async function archive(runtime: NodeRuntime): Promise<string> {
  await using folder = await temporaryFolder();
  const executable = executableOf(runtime);
  await copyFile(executable, join(folder.path, 'kubectl-podcap')).catch((error: unknown) => {
    throw new Failed(`${executable} cannot be read: run make cli-executables first (${String(error)})`);
  });
  const metafile = await buildCli(join(folder.path, 'built'));
  for (const name of ['kubectl_complete-podcap', 'kubectl-podcap.1'])
    await copyFile(join(folder.path, 'built', name), join(folder.path, name));
  await copyFile(`${checkout}/LICENSE`, join(folder.path, 'LICENSE'));
  const { license } = await fetchRuntime(runtime);
  const licenses = await executableLicenses(await bundleLicenses(metafile), license);
  await writeFile(join(folder.path, 'third-party-licenses.txt'), licenses);
  const path = `${release}/${basename(executable)}.tar.gz`;
  const owner = ['--owner=0', '--group=0', '--numeric-owner'];
  await output('tar', [
    '--create',
    '--gzip',
    `--file=${path}`,
    `--directory=${folder.path}`,
    ...owner,
    ...archived,
  ]);
  return path;
}

const archived = [
  'kubectl-podcap',
  'kubectl_complete-podcap',
  'kubectl-podcap.1',
  'LICENSE',
  'third-party-licenses.txt',
];

async function sha256(path: string): Promise<string> {
  return createHash('sha256')
    .update(await readFile(path))
    .digest('hex');
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
