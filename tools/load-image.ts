import { apiServer } from '../cluster/layout.ts';
import { load as loadIntoNodes } from '../cluster/load-images.ts';
import { Failed, must, output } from './shell.ts';
import { type TargetCluster, withTarget } from './target.ts';

/** An image on this machine, and where to report progress. */
export type BuiltImage = {
  readonly image: string;
  /** The image as a docker-archive. */
  readonly archive: string;
  readonly say: (line: string) => void;
};

/**
 * Loads a built image into the Nodes of a cluster, so that its Pods need no registry: the cluster of this machine, or a
 * kind cluster.
 *
 * @throws Failed for any other cluster.
 */
export async function loadImage(target: TargetCluster, { image, archive, say }: BuiltImage): Promise<void> {
  const { server, context } = await currentContext(target);
  say(`loading ${image} into ${target.description}`);
  if (server === apiServer) return await loadIntoNodes([archive], { say });
  if (context.startsWith('kind-')) {
    return await must('kind', ['load', 'docker-image', image, '--name', context.slice('kind-'.length)]);
  }
  throw new Failed(
    `cannot load ${image} into ${context}, which is neither a kind cluster nor the cluster of make cluster: push it to a registry instead`,
  );
}

async function currentContext(target: TargetCluster): Promise<{ server: string; context: string }> {
  const fields = '-o=jsonpath={.clusters[0].cluster.server} {.contexts[0].name}';
  const view = await output(target.kubectl, withTarget(target, 'config', 'view', '--minify', fields));
  const [server = '', context = ''] = view.split(' ');
  return { server, context };
}
