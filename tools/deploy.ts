import { Failed, must, output } from './shell.ts';
import { checkout, type TargetCluster, withTarget } from './target.ts';

const purgeManifest = `${checkout}/deploy/purge.yaml`;
const exampleTraffic = `${checkout}/deploy/examples/traffic.yaml`;

/** Builds the image, loads it into the Nodes, applies the manifests, and waits until every agent is ready. */
export async function deploy(target: TargetCluster): Promise<void> {
  await must(process.execPath, [`${checkout}/tools/build-image.ts`, 'build']);
  await must(process.execPath, [`${checkout}/tools/build-image.ts`, 'load'], environment(target));
  await kubectl(target, 'apply', '-f', manifests(target));
  // The name of the image never changes, so without a restart the agents of an earlier image would keep running.
  await kubectl(target, '-n', 'kube-system', 'rollout', 'restart', 'daemonset/podcap');
  await kubectl(target, '-n', 'kube-system', 'rollout', 'status', 'daemonset/podcap', '--timeout=180s');
}

/** Starts traffic-generator and traffic-server, and waits until both are ready. */
export async function testPod(target: TargetCluster): Promise<void> {
  await kubectl(target, 'apply', '-f', exampleTraffic);
  await kubectl(
    target,
    'wait',
    '--for=condition=Ready',
    '--timeout=120s',
    'pod/traffic-server',
    'pod/traffic-generator',
  );
}

/** Deletes what deploy() and testPod() applied. The capture files stay on the Nodes. */
export async function undeploy(target: TargetCluster): Promise<void> {
  await kubectl(target, 'delete', '--ignore-not-found', '-f', exampleTraffic);
  await kubectl(target, 'delete', '--ignore-not-found', '-f', manifests(target));
  process.stdout.write(
    'the capture files stay on the Nodes, in /var/lib/podcap; to delete them, run: make purge\n',
  );
}

/**
 * Deletes the capture files of every Node.
 *
 * @throws Failed if there is an agent, which would keep writing them.
 */
export async function purge(target: TargetCluster): Promise<void> {
  const agents = ['get', 'daemonsets', '--all-namespaces', '--selector', 'app=packet-capture', '-o', 'name'];
  if ((await output(target.kubectl, withTarget(target, ...agents))) !== '')
    throw new Failed('agents are running: remove them first, with make undeploy or helm uninstall');
  await kubectl(target, 'apply', '-f', purgeManifest);
  try {
    // A Pod becomes ready when it has purged its Node.
    const purged = ['rollout', 'status', 'daemonset/podcap-purge', '--timeout=180s'];
    await kubectl(target, '-n', 'kube-system', ...purged);
  } finally {
    await kubectl(target, 'delete', '-f', purgeManifest);
  }
}

/** The cluster of this machine shares the disk of a development machine, which is fuller than that of a Node. */
function manifests({ isOurs }: TargetCluster): string {
  return `${checkout}/deploy/${isOurs ? 'podcap-cluster' : 'podcap'}.yaml`;
}

async function kubectl(target: TargetCluster, ...args: readonly string[]): Promise<void> {
  await must(target.kubectl, withTarget(target, ...args));
}

function environment({ kubeconfig }: TargetCluster): NodeJS.ProcessEnv {
  return kubeconfig === undefined ? {} : { KUBECONFIG: kubeconfig };
}
