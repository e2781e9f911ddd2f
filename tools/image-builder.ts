import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { runCommand, succeeds } from '../cluster/run-command.ts';
import { baseImageStorage } from './base-images.ts';
import type { Buildah } from './buildah.ts';

/** Builds the Dockerfile of a checkout, with the tool that this machine has. */
export type Builder = {
  readonly name: 'docker' | 'buildah';
  readonly build: (image: string) => Promise<void>;
  /** Writes an image as a docker-archive, unless the file already contains that very image. */
  readonly save: (image: string, file: string) => Promise<void>;
};

/** What to build, where to cache base images, and where to report progress. */
export type BuilderOptions = {
  readonly checkout: string;
  readonly cache: string;
  readonly say: (line: string) => void;
};

/** Returns docker if its engine answers, otherwise buildah with base images that are made here. */
export async function findBuilder(options: BuilderOptions): Promise<Builder> {
  if (await succeeds('docker', ['info'])) return dockerBuilder(options);
  return buildahBuilder(await baseImageStorage(options), options);
}

function dockerBuilder({ checkout, say }: BuilderOptions): Builder {
  return {
    name: 'docker',
    build: async (image) => {
      await runCommand('docker', ['build', '--tag', image, checkout], { onOutput: stepsTo(say) });
    },
    save: async (image, file) => {
      const id = (await runCommand('docker', ['image', 'inspect', '--format', '{{.Id}}', image])).trim();
      await saveOnce(id, file, async () => {
        await runCommand('docker', ['image', 'save', '--output', file, image]);
      });
    },
  };
}

function buildahBuilder(buildah: Buildah, { checkout, say }: BuilderOptions): Builder {
  return {
    name: 'buildah',
    build: async (image) => {
      await buildah.run(['rm', '--all']); // containers of a build that was killed
      // In a chroot and on the host's network: the build needs neither a container runtime nor a network of its own.
      const mode = ['--isolation', 'chroot', '--network', 'host', '--layers', '--pull-never'];
      await buildah.run(['bud', ...mode, '--tag', `docker.io/library/${image}`, '.'], {
        cwd: checkout,
        onOutput: stepsTo(say),
      });
      await pruneLayers(buildah);
    },
    save: async (image, file) => {
      const id = (await buildah.run(['images', '--quiet', '--no-trunc', image])).trim();
      await saveOnce(id, file, async () => {
        await buildah.run(['push', '--quiet', image, `docker-archive:${file}:${image}`]);
      });
    },
  };
}

/** Deletes what earlier builds left, but rarely: the layers that make the next build fast are deleted too. */
async function pruneLayers(buildah: Buildah): Promise<void> {
  const images = await buildah.run(['images', '--all', '--quiet']);
  if (images.split('\n').length > 300) await buildah.run(['rmi', '--prune']);
}

/** The file next to the archive has the id of the image in it. */
async function saveOnce(id: string, file: string, save: () => Promise<void>): Promise<void> {
  const idFile = `${file}.id`;
  if (existsSync(file) && existsSync(idFile) && readFileSync(idFile, 'utf8') === id) return;
  mkdirSync(dirname(file), { recursive: true });
  rmSync(idFile, { force: true });
  rmSync(file, { force: true }); // neither tool overwrites an archive
  await save();
  writeFileSync(idFile, id);
}

/** Prints the steps of the Dockerfile as they start, and nothing else of what a build prints. */
function stepsTo(say: (line: string) => void): (chunk: string) => void {
  return (chunk) => {
    for (const line of chunk.split('\n')) {
      if (/STEP \d|^#\d+ \[/.test(line)) say(`  ${line.slice(0, 110)}`);
    }
  };
}
