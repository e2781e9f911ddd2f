import { basename } from 'node:path';
import { type ClusterNode, nodes } from './layout.ts';
import { enter, machineProcess } from './machine.ts';
import { runCommand } from './run-command.ts';

/** Where to report progress. */
export type LoadOptions = { readonly say: (line: string) => void };

/** The label of an image on a Node that says which archive it came from. It is deleted with the image. */
const label = 'podcap.dev/config';

/** An image in a docker-archive: its names, and the digest of its configuration, which identifies it. */
export type ArchivedImage = { readonly names: readonly string[]; readonly configDigest: string };

/** Loads docker-archives into the containerd of every Node that does not have their images yet. */
export async function load(archives: readonly string[], { say }: LoadOptions): Promise<void> {
  for (const archive of archives) {
    const images = parseManifest(await runCommand('tar', ['-xOf', archive, 'manifest.json']));
    await Promise.all(
      nodes.map(async (node) => {
        const isLoaded = await loadInto(node, archive, images);
        say(`${basename(archive)} ${isLoaded ? 'is loaded into' : 'is already on'} ${node.name}`);
      }),
    );
  }
}

/** Returns false if the Node has the images already. */
async function loadInto(
  node: ClusterNode,
  archive: string,
  images: readonly ArchivedImage[],
): Promise<boolean> {
  const missing = await Promise.all(images.map(async (image) => !(await has(node, image))));
  if (!missing.includes(true)) return false;
  await ctr(node, ['images', 'import', '--local', '-'], archive);
  for (const { names, configDigest } of images) {
    for (const name of names) await ctr(node, ['images', 'label', name, `${label}=${configDigest}`]);
  }
  return true;
}

async function has(node: ClusterNode, { names, configDigest }: ArchivedImage): Promise<boolean> {
  const listed = await ctr(node, ['images', 'list', '--quiet', `labels."${label}"==${configDigest}`]);
  const present = new Set(listed.split('\n'));
  return names.every((name) => present.has(name));
}

async function ctr(node: ClusterNode, args: readonly string[], inputFile?: string): Promise<string> {
  const id = machineProcess(node);
  if (id === undefined) throw new Error(`${node.name} is not running`);
  const command = enter(id, ['ctr', '--namespace', 'k8s.io', ...args]);
  return await runCommand(command.program, command.args, inputFile === undefined ? {} : { inputFile });
}

/**
 * Parses manifest.json of a docker-archive: [{Config: "<digest>.json", RepoTags: ["name:tag"], Layers: [...]}].
 *
 * @throws Error if it is something else.
 */
export function parseManifest(manifest: string): ArchivedImage[] {
  const value: unknown = JSON.parse(manifest);
  if (!Array.isArray(value)) throw new Error('the archive is not a docker-archive');
  return value.map((entry: { readonly Config?: unknown; readonly RepoTags?: unknown }) => {
    if (typeof entry.Config !== 'string' || !Array.isArray(entry.RepoTags)) {
      throw new Error('the archive is not a docker-archive');
    }
    const digest = basename(entry.Config).replace(/\.json$/, '');
    return { names: entry.RepoTags.map(String).map(fullName), configDigest: digest };
  });
}

/** The name as containerd and the kubelet write it: `podcap:latest` is docker.io/library/podcap:latest. */
export function fullName(name: string): string {
  const [first = '', ...rest] = name.split('/');
  if (rest.length === 0) return `docker.io/library/${name}`;
  const isHost = first.includes('.') || first.includes(':') || first === 'localhost';
  return isHost ? name : `docker.io/${name}`;
}
