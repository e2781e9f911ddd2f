import { chmodSync, copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cached } from '../cluster/build-cache.ts';
import { runCommand } from '../cluster/run-command.ts';
import { type Buildah, openBuildah } from './buildah.ts';

/**
 * The two base images of the Dockerfile under their names on Docker Hub, but made from Debian's and npm's packages: for
 * machines that have no docker, or reach package registries but no image registry.
 */
export const baseImages = {
  debian: 'docker.io/library/debian:bookworm-slim',
  node: 'docker.io/library/node:24-bookworm-slim',
} as const;

const suite = 'bookworm';
const npmVersion = '11';
const certificates = '/etc/ssl/certs/ca-certificates.crt';

/** Where to make them from, where to cache them, and where to report progress. */
export type BaseImageOptions = {
  readonly checkout: string;
  readonly cache: string;
  readonly say: (line: string) => void;
};

/**
 * Returns a buildah storage that has the base images, and makes them if the cache does not have them.
 *
 * @throws Error if this machine's apt has no source of the images' Debian suite.
 */
export async function baseImageStorage({ checkout, cache, say }: BaseImageOptions): Promise<Buildah> {
  const nodePackage = join(checkout, `node_modules/node-linux-${process.arch}`);
  const mirrors = await debianMirrors();
  const registry = (await runCommand('npm', ['config', 'get', 'registry'])).trim();
  const madeFrom = [
    readFileSync(import.meta.filename, 'utf8'),
    readFileSync(join(nodePackage, 'package.json'), 'utf8'),
    sourcesList(mirrors),
    registry,
    existsSync(certificates) ? readFileSync(certificates, 'utf8') : '',
  ];
  const folder = await cached(cache, { kind: 'images', name: 'base', madeFrom }, async (target) => {
    say(
      `making the images ${baseImages.debian} and ${baseImages.node}: this happens only once and takes about 1 min`,
    );
    const buildah = openBuildah(target);
    const rootfs = join(target, 'rootfs');
    await makeDebian(rootfs, mirrors);
    await commit(buildah, 'scratch', rootfs, baseImages.debian, ['--cmd', 'bash']);
    say(`  ${baseImages.debian} is made`);
    rmSync(rootfs, { recursive: true });
    await makeNode(rootfs, nodePackage, registry);
    await commit(buildah, baseImages.debian, rootfs, baseImages.node, ['--cmd', 'node']);
    say(`  ${baseImages.node} is made`);
    rmSync(rootfs, { recursive: true });
  });
  return openBuildah(folder);
}

type Mirrors = { readonly main: string; readonly security: string };

/** The mirrors that this machine's apt uses for the images' suite. */
async function debianMirrors(): Promise<Mirrors> {
  const format = ['--format', '$(RELEASE) $(REPO_URI)', 'Created-By: Packages'];
  const targets = (await runCommand('apt-get', ['indextargets', ...format]))
    .split('\n')
    .map((line) => line.split(' '));
  const uriOf = (release: string) => {
    const uri = targets.find(([name]) => name === release)?.[1]?.replace(/\/$/, '');
    if (uri !== undefined) return uri;
    throw new Error(`apt on this machine has no source of Debian ${release}: add one, or build with docker`);
  };
  return { main: uriOf(suite), security: uriOf(`${suite}-security`) };
}

function sourcesList({ main, security }: Mirrors): string {
  return [
    `deb ${main} ${suite} main`,
    `deb ${main} ${suite}-updates main`,
    `deb ${security} ${suite}-security main`,
    '',
  ].join('\n');
}

/** Like debian:bookworm-slim: the essential packages and apt, with no documentation but their licenses. */
async function makeDebian(rootfs: string, mirrors: Mirrors): Promise<void> {
  const debootstrap = ['debootstrap', '--variant=minbase', suite, rootfs, mirrors.main];
  await runCommand('unshare', [
    '--mount',
    '--pid',
    '--mount-proc',
    '--fork',
    '--kill-child',
    '--',
    ...debootstrap,
  ]);
  const unwanted = ['info', 'locale', 'man'].map((name) => `usr/share/${name}`);
  for (const folder of [...unwanted, 'var/cache/apt/archives', 'var/lib/apt/lists', 'var/log']) {
    rmSync(join(rootfs, folder), { recursive: true, force: true });
    mkdirSync(join(rootfs, folder), { recursive: true });
  }
  await runCommand('find', [
    join(rootfs, 'usr/share/doc'),
    '-type',
    'f',
    '!',
    '-name',
    'copyright',
    '-delete',
  ]);
  const excluded = [...unwanted, 'usr/share/doc'].map((folder) => `path-exclude /${folder}/*\n`);
  const paths = [...excluded, 'path-include /usr/share/doc/*/copyright\n'];
  writeFileSync(join(rootfs, 'etc/dpkg/dpkg.cfg.d/slim'), paths.join(''));
  writeFileSync(join(rootfs, 'etc/apt/sources.list'), sourcesList(mirrors));
  for (const name of ['hostname', 'resolv.conf']) rmSync(join(rootfs, 'etc', name), { force: true });
}

/** What node:24-bookworm-slim adds to Debian, and what npm needs on this machine: its registry and certificates. */
async function makeNode(rootfs: string, nodePackage: string, registry: string): Promise<void> {
  const local = join(rootfs, 'usr/local');
  mkdirSync(join(local, 'bin'), { recursive: true });
  mkdirSync(join(local, 'etc'), { recursive: true });
  copyFileSync(join(nodePackage, 'bin/node'), join(local, 'bin/node'));
  chmodSync(join(local, 'bin/node'), 0o755);
  copyFileSync(join(nodePackage, 'LICENSE'), join(local, 'LICENSE'));
  await runCommand('npm', [
    'install',
    '--global',
    '--no-audit',
    '--no-fund',
    '--prefix',
    local,
    `npm@${npmVersion}`,
  ]);
  const npmrc = [`registry=${registry}`];
  if (existsSync(certificates)) {
    mkdirSync(join(rootfs, 'etc/ssl/certs'), { recursive: true });
    copyFileSync(certificates, join(rootfs, certificates));
    npmrc.push(`cafile=${certificates}`);
  }
  writeFileSync(join(local, 'etc/npmrc'), `${npmrc.join('\n')}\n`);
}

async function commit(
  buildah: Buildah,
  from: string,
  rootfs: string,
  image: string,
  config: readonly string[],
): Promise<void> {
  const container = (await buildah.run(['from', '--pull-never', from])).trim();
  await buildah.run(['add', '--quiet', container, rootfs, '/']);
  await buildah.run(['config', ...config, container]);
  await buildah.run(['commit', '--quiet', '--rm', container, image]);
}
