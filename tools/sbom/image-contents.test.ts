import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { runCommand } from '../../cluster/run-command.ts';
import { temporaryFolder } from '../../src/testbed/temporary-folder.ts';
import { openImage } from './image-contents.ts';

type Layer = Readonly<Record<string, string>>;

const debian: Layer = {
  'var/lib/dpkg/status': 'first',
  'usr/share/doc/tini/copyright': 'MIT',
  'etc/shadow': 'not read',
};

test('a file is that of the last layer, and files that say nothing about the contents are not extracted', async () => {
  await using folder = await temporaryFolder();
  const archive = await archiveOf(folder.path, [debian, { 'var/lib/dpkg/status': 'second' }]);
  await using image = await openImage(archive);
  expect(image.read('/var/lib/dpkg/status')).toBe('second');
  expect(image.read('/usr/share/doc/tini/copyright')).toBe('MIT');
  expect(image.has('/etc/shadow')).toBe(false);
  expect(image).toMatchObject({ imageId: 'abc123', created: '2026-01-01T00:00:00Z' });
});

test('refuses an image in which a layer deletes a file that is read, because the SBOM would be wrong', async () => {
  await using folder = await temporaryFolder();
  const archive = await archiveOf(folder.path, [debian, { 'usr/share/doc/tini/.wh.copyright': '' }]);
  await expect(openImage(archive)).rejects.toThrow('usr/share/doc/tini/.wh.copyright');
});

/** An archive like those of `docker image save`. */
async function archiveOf(folder: string, layers: readonly Layer[]): Promise<string> {
  const image = join(folder, 'image');
  const names = layers.map((_, i) => `layer${i}.tar`);
  await mkdir(image);
  for (const [i, files] of layers.entries()) {
    const root = join(folder, `root${i}`);
    for (const [path, content] of Object.entries(files)) {
      await mkdir(dirname(join(root, path)), { recursive: true });
      await writeFile(join(root, path), content);
    }
    await runCommand('tar', ['-cf', join(image, `layer${i}.tar`), '-C', root, ...Object.keys(files)]);
  }
  await writeFile(join(image, 'abc123.json'), JSON.stringify({ created: '2026-01-01T00:00:00Z' }));
  const manifest = [{ Config: 'abc123.json', RepoTags: null, Layers: names }];
  await writeFile(join(image, 'manifest.json'), JSON.stringify(manifest));
  const archive = join(folder, 'image.tar');
  await runCommand('tar', ['-cf', archive, '-C', image, '.']);
  return archive;
}
