import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { apiServer, checkoutFolders } from '../cluster/layout.ts';
import { load as loadIntoCluster } from '../cluster/load.ts';
import { run } from '../cluster/run.ts';
import { status } from '../cluster/status.ts';

export type Image = {
  readonly image: string;
  readonly archive: string;
  readonly say: (line: string) => void;
};

/** The cluster that a command acts on, and how it gets images. */
export type Destination = {
  readonly description: string;
  /** Undefined: whatever kubectl takes by itself. */
  readonly kubeconfig: string | undefined;
  readonly load: (image: Image) => Promise<void>;
};

/** $KUBECONFIG if it is set, else this checkout's cluster if it is up, else kubectl's current context. */
export async function findDestination(
  checkout: string,
  environment: NodeJS.ProcessEnv,
): Promise<Destination> {
  const kubeconfig = environment['KUBECONFIG'] || (await ownKubeconfig(checkout));
  const { server, context } = await currentContext(checkout, kubeconfig);
  const from = kubeconfig === undefined ? "kubectl's current context" : kubeconfig;
  if (server === apiServer) {
    return {
      description: `this machine's cluster (${from})`,
      kubeconfig,
      load: async ({ archive, say }) => await loadIntoCluster([archive], { say }),
    };
  }
  if (context.startsWith('kind-')) {
    const name = context.slice('kind-'.length);
    return {
      description: `the kind cluster ${name} (${from})`,
      kubeconfig,
      load: async ({ image }) => void (await run('kind', ['load', 'docker-image', image, '--name', name])),
    };
  }
  return { description: `the cluster of context ${context} (${from})`, kubeconfig, load: refuseToLoad };
}

async function ownKubeconfig(checkout: string): Promise<string | undefined> {
  const { kubeconfig } = checkoutFolders(checkout);
  return existsSync(kubeconfig) && (await status(checkout)).up ? kubeconfig : undefined;
}

async function currentContext(
  checkout: string,
  kubeconfig: string | undefined,
): Promise<{ server: string; context: string }> {
  const own = join(checkoutFolders(checkout).bin, 'kubectl');
  const output = '-o=jsonpath={.clusters[0].cluster.server}{" "}{.contexts[0].name}';
  const flags = kubeconfig === undefined ? [] : ['--kubeconfig', kubeconfig];
  const view = await run(existsSync(own) ? own : 'kubectl', [...flags, 'config', 'view', '--minify', output]);
  const [server = '', context = ''] = view.split(' ');
  return { server, context };
}

async function refuseToLoad({ image }: Image): Promise<void> {
  throw new Error(`push ${image} to a registry that this cluster pulls from: it is neither of kind nor ours`);
}
