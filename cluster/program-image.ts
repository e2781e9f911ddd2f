import { createHash } from 'node:crypto';
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { runCommand } from './run-command.ts';

/** An image that contains one static program and nothing else. */
export type ProgramImage = {
  readonly name: string;
  /** The path on this machine. In the image, the program is in the root folder, under the same name. */
  readonly program: string;
  readonly entrypoint: readonly string[];
};

/** The image of a Pod's sandbox. catatonit(1) -P waits forever and reaps processes. */
export const pauseImage: ProgramImage = {
  name: 'localhost/pause:local',
  program: '/usr/bin/catatonit',
  entrypoint: ['/catatonit', '-P'],
};

/** Writes the image as a docker-archive, without a registry or a tool that builds images. */
export async function writeProgramImage(
  file: string,
  { name, program, entrypoint }: ProgramImage,
): Promise<void> {
  const work = mkdtempSync(`${file}.new-`);
  try {
    const inside = join(work, 'root', program.slice(program.lastIndexOf('/')));
    mkdirSync(join(work, 'root'));
    copyFileSync(program, inside);
    chmodSync(inside, 0o755);
    const reproducible = ['--sort=name', '--mtime=@0', '--owner=0', '--group=0', '--numeric-owner'];
    await runCommand('tar', ['-C', join(work, 'root'), ...reproducible, '-cf', join(work, 'layer.tar'), '.']);
    const config = imageConfig(entrypoint, sha256(readFileSync(join(work, 'layer.tar'))));
    const configFile = `${sha256(config)}.json`;
    writeFileSync(join(work, configFile), config);
    const manifest = [{ Config: configFile, RepoTags: [name], Layers: ['layer.tar'] }];
    writeFileSync(join(work, 'manifest.json'), JSON.stringify(manifest));
    await runCommand('tar', ['-C', work, '-cf', file, 'manifest.json', configFile, 'layer.tar']);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

function imageConfig(entrypoint: readonly string[], layerDigest: string): string {
  return JSON.stringify({
    architecture: process.arch === 'x64' ? 'amd64' : process.arch,
    os: 'linux',
    config: { Entrypoint: entrypoint },
    rootfs: { type: 'layers', diff_ids: [`sha256:${layerDigest}`] },
  });
}

function sha256(data: string | Buffer): string {
  return createHash('sha256').update(data).digest('hex');
}
