import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as v from 'valibot';
import { runCommand } from '../../cluster/run-command.ts';
import type { Subject } from './sbom-document.ts';

/** The files of an image that say what is in it. They are in a folder that is deleted when this is disposed of. */
export type ImageFiles = AsyncDisposable &
  Omit<Subject, 'version'> & {
    /** Returns the text of a file, by its path in the container: /etc/os-release. */
    readonly read: (path: string) => string;
    readonly has: (path: string) => boolean;
    /** The path on this machine. */
    readonly pathOf: (path: string) => string;
  };

/** The paths that are extracted from the layers. If several layers have a file, the last one counts. */
const wanted =
  /^\.?\/?(?:var\/lib\/dpkg\/status|usr\/lib\/os-release|usr\/share\/doc\/.*|usr\/local\/bin\/node)$/;

/**
 * Opens an image in the docker-archive format, as `docker image save` and `make docker-build` write it.
 *
 * @throws Error if a layer deletes a file that would be read, because that is not implemented.
 */
export async function openImage(archive: string): Promise<ImageFiles> {
  await using opened = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), 'podcap-sbom-'));
  opened.defer(() => rm(folder, { recursive: true }));
  const [layers, root] = [join(folder, 'layers'), join(folder, 'root')];
  await runCommand('mkdir', [layers, root]);
  await runCommand('tar', ['-xf', archive, '-C', layers]);
  const json = (name: string): unknown => JSON.parse(readFileSync(join(layers, name), 'utf8'));
  const [manifest] = v.parse(manifestSchema, json('manifest.json'));
  for (const layer of manifest.Layers) await extract(join(layers, layer), root);
  const { created } = v.parse(configSchema, json(manifest.Config));
  await rm(layers, { recursive: true });
  const pathOf = (path: string) => join(root, path);
  const kept = opened.move();
  return {
    imageId: manifest.Config.replace(/^.*\/|\.json$/g, ''),
    created,
    pathOf,
    read: (path) => readFileSync(pathOf(path), 'utf8'),
    has: (path) => existsSync(pathOf(path)),
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

const manifestSchema = v.tuple([v.object({ Config: v.string(), Layers: v.array(v.string()) })]);
const configSchema = v.object({ created: v.string() });

async function extract(layer: string, root: string): Promise<void> {
  const names = (await runCommand('tar', ['-tf', layer])).split('\n').filter((name) => wanted.test(name));
  // A layer marks a file that it deletes with a file of this name.
  const whiteout = names.find((name) => name.includes('/.wh.'));
  if (whiteout !== undefined) throw new Error(`${whiteout} in ${layer}: deleted files are not supported`);
  if (names.length === 0) return;
  // --no-recursion applies to the options after it.
  await runCommand('tar', ['-xf', layer, '-C', root, '--no-same-owner', '--no-recursion', '--files-from=-'], {
    input: `${names.join('\n')}\n`,
  });
}
