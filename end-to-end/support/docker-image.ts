import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as v from 'valibot';
import { output } from '../../tools/shell.ts';
import { checkout } from '../../tools/target.ts';
import type { DockerEngine } from './docker-engine.ts';

/** An image that a Docker engine has. */
export type DockerImage = {
  readonly name: string;
  /** The digest of its configuration, `sha256:...`. */
  readonly id: string;
  readonly bytes: number;
  readonly config: ImageConfig;
};

/** What a container of an image is started with, and the labels; nothing that is empty. */
export type ImageConfig = Readonly<Record<string, unknown>>;

/** The registry that README uses as an example. */
const repository = 'registry.example/team/podcap';

/**
 * Builds the image by README's command. It is not changed, except that the engine of the tests has no network of its own
 * and needs `--network host`.
 */
export async function buildAsDocumented({ docker }: DockerEngine): Promise<DockerImage> {
  const readme = await readFile(join(checkout, 'README.md'), 'utf8');
  const [, args = ''] = /^\$ docker (build .*)$/m.exec(readme) ?? [];
  const [build = '', ...rest] = args.replace('$image', repository).split(' ');
  await docker(build, '--network', 'host', ...rest);
  const name = rest.find((arg) => arg.startsWith(repository)) ?? repository;
  const [inspected] = v.parse(inspectedSchema, JSON.parse(await docker('image', 'inspect', name)));
  return { name, id: inspected.Id, bytes: inspected.Size, config: withoutEmpty(inspected.Config) };
}

/** The configuration of the image in a docker-archive. */
export async function archivedConfig(archive: string): Promise<ImageConfig> {
  const read = async (file: string): Promise<unknown> =>
    JSON.parse(await output('tar', ['--extract', '--to-stdout', '--file', archive, file]));
  const [{ Config: file }] = v.parse(manifestSchema, await read('manifest.json'));
  return withoutEmpty(v.parse(configSchema, await read(file)).config);
}

function withoutEmpty(config: ImageConfig): ImageConfig {
  return Object.fromEntries(Object.entries(config).filter(([, value]) => !isEmpty(value)));
}

function isEmpty(value: unknown): boolean {
  return value === null || value === '' || value === false;
}

const anyConfig = v.record(v.string(), v.unknown());
const configSchema = v.object({ config: anyConfig });
const inspectedSchema = v.tuple([v.object({ Id: v.string(), Size: v.number(), Config: anyConfig })]);
const manifestSchema = v.tuple([v.object({ Config: v.string() })]);
