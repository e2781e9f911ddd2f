import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { readyHubs } from '../../end-to-end/support/hub-pods.ts';
import { tokenFor } from '../../end-to-end/support/hub-strangers.ts';
import { listedCaptures } from '../../end-to-end/support/informed-captures.ts';
import { nodeProcess } from '../../end-to-end/support/pod-processes.ts';
import { kubectl } from '../../end-to-end/support/run-kubectl.ts';
import { until } from '../../src/base/until.ts';
import { startChild } from '../../src/testbed/child-program.ts';

/** A capture whose bytes are constant, served from a Node as an agent serves a recording. */
export type ConstantCapture = AsyncDisposable & { readonly name: string; readonly pid: number };

/** Connects an agent that serves it to every replica, and waits until the API lists it. */
export async function constantCapture(options: {
  readonly namespace: string;
  readonly node: string;
  readonly bytes: number;
}): Promise<ConstantCapture> {
  const { namespace, node, bytes } = options;
  const name = 'constant';
  await using opening = new AsyncDisposableStack();
  const pod = opening.use(await agentPod(node));
  const token = await tokenFor({ account: 'podcap', boundTo: `Pod/${pod.name}` });
  const start = {
    bytes,
    token,
    ...(await hubAddresses()),
    recording: { namespace, name, uid: randomUUID() },
  };
  const program = join(import.meta.dirname, 'constant-agent-program.ts');
  const network = `--net=/proc/${nodeProcess(node)}/ns/net`;
  const child = opening.use(
    startChild(['nsenter', network, '--', process.execPath, program, JSON.stringify(start)], () => {}),
  );
  await child.ready;
  await until(async () => name in (await listedCaptures(namespace)), { what: 'the constant capture' });
  const opened = opening.move();
  if (child.pid === undefined) throw new Error('the agent of constant bytes does not run');
  return { name, pid: child.pid, [Symbol.asyncDispose]: () => opened.disposeAsync() };
}

/** kubectl get in the namespace of the release. */
async function inNamespace(...args: readonly string[]): Promise<string> {
  return await kubectl('-n', 'kube-system', 'get', ...args);
}

async function hubAddresses() {
  const hubs = await readyHubs();
  const addresses = hubs.map(({ name }) => inNamespace('pod', name, '-o', 'jsonpath={.status.podIP}'));
  const ca = await inNamespace('configmap', 'podcap-hub-ca', '-o', 'jsonpath={.data.ca\\.crt}');
  return { hubs: await Promise.all(addresses), ca, serverName: 'podcap-hub.kube-system.svc' };
}

/** A Pod of the agents' account that does nothing: the token of an agent is that of a Pod. */
async function agentPod(node: string): Promise<AsyncDisposable & { readonly name: string }> {
  const name = `podcap-bench-${randomUUID().slice(0, 8)}`;
  const container = { name: 'main', image: 'podcap:latest', command: ['sleep', 'infinity'] };
  const spec = { serviceAccountName: 'podcap', nodeName: node, terminationGracePeriodSeconds: 0 };
  const overrides = JSON.stringify({
    spec: { ...spec, containers: [{ ...container, imagePullPolicy: 'IfNotPresent' }] },
  });
  await kubectl('-n', 'kube-system', 'run', name, '--image=podcap:latest', `--overrides=${overrides}`);
  return {
    name,
    async [Symbol.asyncDispose]() {
      await kubectl('-n', 'kube-system', 'delete', 'pod', name, '--wait=false');
    },
  };
}
