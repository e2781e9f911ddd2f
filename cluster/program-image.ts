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
import { run } from './run.ts';

/** The name that containerd is told to make a Pod's sandbox of. */
export const pauseImage = 'localhost/pause:local';

/**
 * Writes the image of the pause container as a docker-archive: one static program, catatonit(1) -P, which waits and
 * reaps. No registry is needed, and no tool to build images either.
 */
export async function writePauseImage(file: string): Promise<void> {
  const work = mkdtempSync(`${file}.new-`);
  try {
    mkdirSync(join(work, 'root'));
    copyFileSync('/usr/bin/catatonit', join(work, 'root/pause'));
    chmodSync(join(work, 'root/pause'), 0o755);
    const reproducible = ['--sort=name', '--mtime=@0', '--owner=0', '--group=0', '--numeric-owner'];
    await run('tar', ['-C', join(work, 'root'), ...reproducible, '-cf', join(work, 'layer.tar'), 'pause']);
    const config = imageConfig(sha256(readFileSync(join(work, 'layer.tar'))));
    const configFile = `${sha256(config)}.json`;
    writeFileSync(join(work, configFile), config);
    const manifest = [{ Config: configFile, RepoTags: [pauseImage], Layers: ['layer.tar'] }];
    writeFileSync(join(work, 'manifest.json'), JSON.stringify(manifest));
    await run('tar', ['-C', work, '-cf', file, 'manifest.json', configFile, 'layer.tar']);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

function imageConfig(layerDigest: string): string {
  return JSON.stringify({
    architecture: process.arch === 'x64' ? 'amd64' : process.arch,
    os: 'linux',
    config: { Entrypoint: ['/pause', '-P'] },
    rootfs: { type: 'layers', diff_ids: [`sha256:${layerDigest}`] },
  });
}

function sha256(data: string | Buffer): string {
  return createHash('sha256').update(data).digest('hex');
}
