import { apiServer } from '../cluster/layout.ts';
import { load as loadIntoNodes } from '../cluster/load-images.ts';
import { Failed, must, output } from './shell.ts';
import { type TargetCluster, withTarget } from './target.ts';

export type BuiltImage = {
  readonly image: string;
  /** The image as a docker-archive. */
  readonly archive: string;
  readonly say: (line: string) => void;
};

/** Brings a built image to the Nodes of a cluster, where its Pods expect it: ours, or one of kind. */
export async function loadImage(target: TargetCluster, { image, archive, say }: BuiltImage): Promise<void> {
  const { server, context } = await currentContext(target);
  say(`loading ${image} into ${target.description}`);
  if (server === apiServer) return await loadIntoNodes([archive], { say });
  if (context.startsWith('kind-')) {
    return await must('kind', ['load', 'docker-image', image, '--name', context.slice('kind-'.length)]);
  }
  throw new Failed(
    `the cluster of context ${context} is neither of kind nor this machine's: push ${image} to a registry it pulls from`,
  );
}

async function currentContext(target: TargetCluster): Promise<{ server: string; context: string }> {
  const fields = '-o=jsonpath={.clusters[0].cluster.server} {.contexts[0].name}';
  const view = await output(target.kubectl, withTarget(target, 'config', 'view', '--minify', fields));
  const [server = '', context = ''] = view.split(' ');
  return { server, context };
}
