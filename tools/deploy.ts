import { Failed, must, output, show } from './shell.ts';
import { checkout, type TargetCluster, withTarget } from './target.ts';

const purgeManifest = `${checkout}/deploy/purge.yaml`;
const exampleTraffic = `${checkout}/deploy/examples/traffic.yaml`;
const workloads = ['daemonset/podcap', 'deployment/podcap-hub'];
const apiService = 'apiservice/v1alpha1.podcap.dev';
const crd = 'capturepolicies.policy.podcap.dev';
/** The label of the examples that testPod() created, as opposed to those that existed before. */
const ofTestPod = 'app.kubernetes.io/managed-by=make-test-pod';

/** Builds the image, loads it into the Nodes, applies the manifests, and waits until agents and hub are ready. */
export async function deploy(target: TargetCluster): Promise<void> {
  await must(process.execPath, [`${checkout}/tools/build-image.ts`, 'build']);
  await must(process.execPath, [`${checkout}/tools/build-image.ts`, 'load'], environment(target));
  await kubectl(target, 'apply', '-f', manifests(target));
  // The name of the image never changes, so without a restart the Pods of an earlier image would keep running.
  await kubectl(target, '-n', 'kube-system', 'rollout', 'restart', ...workloads);
  for (const workload of workloads)
    await kubectl(target, '-n', 'kube-system', 'rollout', 'status', workload, '--timeout=180s');
  // The hub registers its API once it is ready.
  for (const condition of ['create', 'condition=Available'])
    await kubectl(target, 'wait', `--for=${condition}`, '--timeout=120s', apiService);
}

/** Starts traffic-generator and traffic-server, and waits until both are ready. */
export async function testPod(target: TargetCluster): Promise<void> {
  const before = await examples(target);
  await kubectl(target, 'apply', '-f', exampleTraffic);
  const created = (await examples(target)).filter((name) => !before.includes(name));
  if (created.length > 0) await kubectl(target, 'label', ...created, ofTestPod);
  await kubectl(
    target,
    'wait',
    '--for=condition=Ready',
    '--timeout=120s',
    'pod/traffic-server',
    'pod/traffic-generator',
  );
}

/**
 * Deletes what deploy() applied and testPod() created. The capture files stay on the Nodes, and the CRD, without which
 * every CapturePolicy would be gone. The agents are deleted
 * first: only while they have their permissions can they report the end to the captured Pods.
 */
export async function undeploy(target: TargetCluster): Promise<void> {
  await kubectl(target, 'delete', 'pods,services', '--selector', ofTestPod);
  const agents = ['-n', 'kube-system', 'delete', '--ignore-not-found', 'daemonset/podcap'];
  // An agent on a Node that is down cannot end.
  const wait = ['--cascade=foreground', '--timeout=60s'];
  await show(target.kubectl, withTarget(target, ...agents, ...wait));
  const ours = ['--selector', 'app=packet-capture', '-f', manifests(target)];
  await kubectl(target, 'delete', '--ignore-not-found', '--wait=false', ...ours);
  // The garbage collector deletes it: without the hub, it would stop the deletion of every namespace.
  await kubectl(target, 'wait', '--for=delete', '--timeout=120s', apiService);
  process.stdout.write(
    `the CapturePolicies and their CRD stay; to delete them, run: kubectl delete crd ${crd}
the capture files stay on the Nodes, in /var/lib/podcap; to delete them, run: make purge
`,
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

/** Those of the example objects that exist, as kind/name. */
async function examples(target: TargetCluster): Promise<string[]> {
  const get = ['get', '--ignore-not-found', '-f', exampleTraffic, '-o', 'name'];
  return (await output(target.kubectl, withTarget(target, ...get))).split('\n').filter((name) => name !== '');
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
