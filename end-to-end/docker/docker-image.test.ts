import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { expect } from 'vitest';
import { nodes } from '../../cluster/layout.ts';
import { load } from '../../cluster/load-images.ts';
import { built } from '../../tools/go-program.ts';
import { checkout } from '../../tools/target.ts';
import { patchAgents } from '../support/agent-daemonset.ts';
import { agentOn, execInAgent } from '../support/agents.ts';
import { capturedPod, sendCaptured } from '../support/captured-pod.ts';
import { test as clusterTest } from '../support/cluster-test.ts';
import { range } from '../support/consecutive.ts';
import { type DockerEngine, loadBaseImages, startDockerEngine } from '../support/docker-engine.ts';
import { archivedConfig, buildAsDocumented } from '../support/docker-image.ts';
import { idle } from '../support/pod-manifests.ts';
import { kubectl } from '../support/run-kubectl.ts';

// A real Docker engine builds the image, by README's command, and the agents of the cluster run it. The base images are
// those that this project makes, because the machine may reach no registry.

const test = clusterTest
  .extend('engine', { scope: 'file' }, async ({}, { onCleanup }) => {
    const engine = await startDockerEngine();
    onCleanup(() => engine[Symbol.asyncDispose]());
    await loadBaseImages(engine);
    return engine;
  })
  .extend('image', { scope: 'file' }, async ({ engine }) => await buildAsDocumented(engine))
  .extend('agentImage', { scope: 'file' }, async ({ engine, image }, { onCleanup }) => {
    const archive = join(engine.folder, 'podcap.tar');
    await engine.docker('save', '--output', archive, image.name);
    await load([archive], { say: () => {} });
    const restore = () => runAgentsFrom('podcap:latest');
    // A fixture that throws is not cleaned up.
    await runAgentsFrom(image.name).catch(async (error: unknown) => {
      await restore();
      throw error;
    });
    onCleanup(restore);
    return image;
  });

test('has the configuration of the image that buildah builds, and a plausible size', async ({ image }) => {
  expect(image.config).toEqual(await archivedConfig(join(checkout, 'build/podcap.tar')));
  expect(image.config).not.toHaveProperty('User'); // the agent starts as root, and tcpdump as its own user
  expect(image.config['Entrypoint']).toEqual(expect.arrayContaining(['tini', '/usr/lib/podcap/podcap.cjs']));
  expect(image.bytes).toBeGreaterThan(150e6);
  expect(image.bytes).toBeLessThan(220e6);
});

test('is what the agent of every Node runs, and captures and reads back every datagram of a Pod', async ({
  cluster,
  receiver,
  agentImage,
}) => {
  for (const { name: node } of nodes) {
    expect(await imageOfAgent(node)).toBe(agentImage.id);
    const pod = await capturedPod(cluster, `captured-on-${node}`, { node });
    expect(await sendCaptured(cluster, pod, { receiver })).toEqual(range(0, 50));
    const read = ['podcap', 'read', `${cluster.namespace}/${pod.name}`];
    const lines = await execInAgent(
      node,
      'sh',
      '-c',
      `${read.join(' ')} | podcap show - --filter 'udp port ${receiver.port}'`,
    );
    expect(lines.trim().split('\n')).toHaveLength(50);
  }
});

test('has the programs of the image that buildah builds, and the user of tcpdump', async ({
  cluster,
  agentImage,
}) => {
  expect(await imageOfAgent('node1')).toBe(agentImage.id);
  await cluster.start(idle({ name: 'built-by-buildah', node: 'node1' }));
  const bundles = ['sh', '-c', 'cd /usr/lib/podcap && sha256sum *.cjs && ls'];
  expect(await execInAgent('node1', ...bundles)).toBe(await cluster.exec('built-by-buildah', ...bundles));
  expect(await execInAgent('node1', 'id', 'podcap-capture')).toContain('uid=10001(podcap-capture) gid=10001');
  for (const program of ['node', 'tcpdump', 'tini'])
    expect(await execInAgent('node1', program, '--version')).toMatch(/\d+\.\d+/);
});

test('kind on this engine accepts the configuration of `make kind`, and refuses an unknown role', async ({
  engine,
}) => {
  const configuration = await readFile(join(checkout, 'deploy/kind-cluster.yaml'), 'utf8');
  expect(await kindCreate(engine, configuration)).toContain('Creating cluster "podcap" ...');
  const wrong = configuration.replace('role: worker', 'role: node');
  expect(await kindCreate(engine, wrong)).toContain('"node" is not a valid node role');
});

async function runAgentsFrom(image: string): Promise<void> {
  await patchAgents({ template: { spec: { containers: [{ name: 'agent', image }] } } });
}

/** The digest of the image that the agent's container was started from. */
async function imageOfAgent(node: string): Promise<string> {
  const path = 'jsonpath={.status.containerStatuses[0].imageID}';
  return await kubectl('-n', 'kube-system', 'get', 'pod', await agentOn(node), '-o', path);
}

/** Lets kind create a cluster, of an image that does not exist. Returns what it prints until it fails. */
async function kindCreate({ environment, folder }: DockerEngine, configuration: string): Promise<string> {
  const options = ['--image', 'podcap.invalid/node:none', '--kubeconfig', join(folder, 'kubeconfig')];
  const child = spawn(await built('kind'), ['create', 'cluster', '--config', '-', ...options], {
    env: environment,
  });
  child.stdin.end(configuration);
  const [stderr, [code]] = await Promise.all([text(child.stderr), once(child, 'close')]);
  expect(code).toBe(1);
  return stderr;
}
