import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { run, succeeds } from '../cluster/run-command.ts';
import { baseImageStorage } from './base-images.ts';
import type { Buildah } from './buildah.ts';

/** Builds the Dockerfile of a checkout, by whatever this machine has for it. */
export type Builder = {
  readonly name: 'docker' | 'buildah';
  readonly build: (image: string) => Promise<void>;
  /** Writes an image as a docker-archive, unless the file holds that very image already. */
  readonly save: (image: string, file: string) => Promise<void>;
};

export type BuilderOptions = {
  readonly checkout: string;
  readonly cache: string;
  readonly say: (line: string) => void;
};

/** docker if its engine answers; else buildah with base images made here. */
export async function findBuilder(options: BuilderOptions): Promise<Builder> {
  if (await succeeds('docker', ['info'])) return dockerBuilder(options);
  return buildahBuilder(await baseImageStorage(options), options);
}

function dockerBuilder({ checkout, say }: BuilderOptions): Builder {
  return {
    name: 'docker',
    build: async (image) => {
      await run('docker', ['build', '--tag', image, checkout], { onOutput: steps(say) });
    },
    save: async (image, file) => {
      const id = (await run('docker', ['image', 'inspect', '--format', '{{.Id}}', image])).trim();
      await saveOnce(id, file, async () => {
        await run('docker', ['image', 'save', '--output', file, image]);
      });
    },
  };
}

function buildahBuilder(buildah: Buildah, { checkout, say }: BuilderOptions): Builder {
  return {
    name: 'buildah',
    build: async (image) => {
      // chroot, and the machine's network: it needs neither a container runtime nor a network of its own.
      await buildah.run(['rm', '--all']); // containers of a build that was killed
      const mode = ['--isolation', 'chroot', '--network', 'host', '--layers', '--pull-never'];
      await buildah.run(['bud', ...mode, '--tag', `docker.io/library/${image}`, '.'], {
        cwd: checkout,
        onOutput: steps(say),
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

/** What earlier builds left; now and then only, for the layers that make the next build fast are among it. */
async function pruneLayers(buildah: Buildah): Promise<void> {
  const images = await buildah.run(['images', '--all', '--quiet']);
  if (images.split('\n').length > 300) await buildah.run(['rmi', '--prune']);
}

async function saveOnce(id: string, file: string, save: () => Promise<void>): Promise<void> {
  const idFile = `${file}.id`;
  if (existsSync(file) && existsSync(idFile) && readFileSync(idFile, 'utf8') === id) return;
  mkdirSync(dirname(file), { recursive: true });
  rmSync(idFile, { force: true });
  rmSync(file, { force: true }); // neither tool writes over an archive
  await save();
  writeFileSync(idFile, id);
}

/** Tells the steps of a Dockerfile as they begin, out of all that a build writes. */
function steps(say: (line: string) => void): (chunk: string) => void {
  return (chunk) => {
    for (const line of chunk.split('\n')) {
      if (/STEP \d|^#\d+ \[/.test(line)) say(`  ${line.slice(0, 110)}`);
    }
  };
}
