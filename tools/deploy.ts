import { Failed, must, output } from './shell.ts';
import { checkout, type TargetCluster, withTarget } from './target.ts';

const purgers = `${checkout}/deploy/purge.yaml`;
const examples = `${checkout}/deploy/examples/traffic.yaml`;

/** Builds the image, loads it where it must be loaded, applies the manifests, and waits until every agent is ready. */
export async function deploy(target: TargetCluster): Promise<void> {
  await must(process.execPath, [`${checkout}/tools/build-image.ts`, 'build']);
  await must(process.execPath, [`${checkout}/tools/build-image.ts`, 'load'], environment(target));
  await kubectl(target, 'apply', '-f', manifests(target));
  // The image's name stays the same: without this the agents of an image before would go on.
  await kubectl(target, '-n', 'kube-system', 'rollout', 'restart', 'daemonset/podcap');
  await kubectl(target, '-n', 'kube-system', 'rollout', 'status', 'daemonset/podcap', '--timeout=180s');
}

/** Starts the traffic-generator and its server, and waits until both run. */
export async function testPod(target: TargetCluster): Promise<void> {
  await kubectl(target, 'apply', '-f', examples);
  await kubectl(
    target,
    'wait',
    '--for=condition=Ready',
    '--timeout=120s',
    'pod/traffic-server',
    'pod/traffic-generator',
  );
}

/** Removes what deploy() and testPod() applied; the capture files stay on the Nodes. */
export async function undeploy(target: TargetCluster): Promise<void> {
  await kubectl(target, 'delete', '--ignore-not-found', '-f', examples);
  await kubectl(target, 'delete', '--ignore-not-found', '-f', manifests(target));
  process.stdout.write('the captures stay on the Nodes, in /var/lib/podcap: make purge deletes them\n');
}

/** Deletes the captures of every Node. Agents would go on writing: there must be none. */
export async function purge(target: TargetCluster): Promise<void> {
  const agents = ['get', 'daemonsets', '--all-namespaces', '--selector', 'app=packet-capture', '-o', 'name'];
  if ((await output(target.kubectl, withTarget(target, ...agents))) !== '')
    throw new Failed('there are agents: make undeploy, or helm uninstall, comes first');
  await kubectl(target, 'apply', '-f', purgers);
  try {
    // Ready is who has purged its Node.
    const purged = ['rollout', 'status', 'daemonset/podcap-purge', '--timeout=180s'];
    await kubectl(target, '-n', 'kube-system', ...purged);
  } finally {
    await kubectl(target, 'delete', '-f', purgers);
  }
}

/** A machine of development is fuller than a Node: there another share of the disk stays free. */
function manifests({ isOurs }: TargetCluster): string {
  return `${checkout}/deploy/${isOurs ? 'podcap-cluster' : 'podcap'}.yaml`;
}

async function kubectl(target: TargetCluster, ...args: readonly string[]): Promise<void> {
  await must(target.kubectl, withTarget(target, ...args));
}

function environment({ kubeconfig }: TargetCluster): NodeJS.ProcessEnv {
  return kubeconfig === undefined ? {} : { KUBECONFIG: kubeconfig };
}
