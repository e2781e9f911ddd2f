import { basename } from 'node:path';
import { type ClusterNode, nodes } from './layout.ts';
import { enter, machineProcess } from './machine.ts';
import { run } from './run-command.ts';

export type LoadOptions = { readonly say: (line: string) => void };

/** The label that says on a Node which archive an image came from. It goes when the image goes. */
const label = 'podcap.dev/config';

/** What a docker-archive holds: its image's names, and the digest of its configuration, which identifies it. */
export type ArchivedImage = { readonly names: readonly string[]; readonly configDigest: string };

/** Loads docker-archives into every Node's containerd, but for Nodes that have them already. */
export async function load(archives: readonly string[], { say }: LoadOptions): Promise<void> {
  for (const archive of archives) {
    const images = parseManifest(await run('tar', ['-xOf', archive, 'manifest.json']));
    await Promise.all(
      nodes.map(async (node) => {
        const done = (await loadInto(node, archive, images)) ? 'loaded into' : 'is already on';
        say(`${basename(archive)} ${done} ${node.name}`);
      }),
    );
  }
}

/** Gives false if the Node has them already. */
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
  return await run(command.program, command.args, inputFile === undefined ? {} : { inputFile });
}

/** manifest.json of a docker-archive: [{Config: "<digest>.json", RepoTags: ["name:tag"], Layers: [...]}]. */
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

/** As containerd and the kubelet write it: `podcap:latest` is docker.io/library/podcap:latest. */
export function fullName(name: string): string {
  const [first = '', ...rest] = name.split('/');
  if (rest.length === 0) return `docker.io/library/${name}`;
  const isHost = first.includes('.') || first.includes(':') || first === 'localhost';
  return isHost ? name : `docker.io/${name}`;
}
