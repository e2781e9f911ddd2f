import { chmodSync, copyFileSync, cpSync, linkSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { until } from '../src/base/until.ts';
import { type Binaries, buildBinaries, clusterModules, kubernetesVersion } from './binaries.ts';
import { applyBootstrapObjects } from './bootstrap-objects.ts';
import { pruneCache } from './build-cache.ts';
import { writeCheckoutFolder } from './checkout-folder.ts';
import { claim } from './cluster-claim.ts';
import { plugControl, plugNode } from './cluster-network.ts';
import { readOwner, writeOwner } from './cluster-owner.ts';
import { clusterVersion } from './cluster-version.ts';
import { tearDown } from './down.ts';
import { existingCluster } from './existing-cluster.ts';
import { kubectl } from './kubectl.ts';
import {
  addresses,
  type CheckoutFolders,
  type ClusterNode,
  checkoutFolders,
  control,
  machines,
  nodes,
  stateFolders,
} from './layout.ts';
import { machineProcess, startMachine } from './machine.ts';
import { writeNodeFiles } from './node-files.ts';
import { makeCertificates, makeControlKubeconfigs } from './pki.ts';
import type { ProcessId } from './process-id.ts';
import { pauseImage, writeProgramImage } from './program-image.ts';

export type UpOptions = {
  readonly checkout: string;
  readonly cache: string;
  readonly say: (line: string) => void;
};

export type UpResult =
  | { readonly kind: 'up'; readonly folders: CheckoutFolders }
  | { readonly kind: 'refused'; readonly message: string };

/** Brings the cluster up, or starts what is missing of a running one. Returns when every Node is Ready. */
export async function up({ checkout, cache, say }: UpOptions): Promise<UpResult> {
  const existing = existingCluster();
  const claimed = claim(existing, checkout);
  if (claimed.kind === 'theirs') return { kind: 'refused', message: claimed.message };

  const binaries = await buildBinaries(clusterModules, { checkout, cache, say });
  const version = clusterVersion(checkout);
  if (claimed.kind === 'ours' && existing.owner?.version !== version) {
    say(
      'note: an earlier version of cluster/ made this cluster; to replace it, run: make cluster-down cluster',
    );
  }
  if (claimed.kind === 'leftover') {
    say('removing what is left of a dead or incomplete cluster');
    await tearDown();
  }
  if (claimed.kind !== 'ours') {
    writeOwner(stateFolders.owner, { checkout, version, since: new Date().toISOString(), complete: false });
    say('creating certificates and configuration');
    await writeStateFolder(checkout, binaries);
  }
  const folders = checkoutFolders(checkout);
  writeCheckoutFolder(folders, binaries);

  const stopped = machines.filter((machine) => machineProcess(machine) === undefined);
  if (stopped.length > 0) say(`starting ${stopped.map(({ name }) => name).join(', ')}`);
  await startMachines();
  await becomeReady(say);
  const owner = readOwner(stateFolders.owner);
  if (owner !== undefined) writeOwner(stateFolders.owner, { ...owner, complete: true });
  pruneCache(cache);
  return { kind: 'up', folders };
}

/** Writes everything that the machines need: once they run, they use neither the checkout nor the cache. */
async function writeStateFolder(checkout: string, binaries: Binaries): Promise<void> {
  mkdirSync(stateFolders.bin, { recursive: true });
  for (const [name, path] of binaries) linkOrCopy(path, join(stateFolders.bin, name));
  cpSync(join(checkout, 'cluster/inside'), stateFolders.inside, { recursive: true });
  await Promise.all([
    writeProgramImage(join(stateFolders.inside, 'pause.tar'), pauseImage),
    makeCertificates(kubernetesVersion(checkout)),
  ]);
  await Promise.all([makeControlKubeconfigs(), ...nodes.map(writeNodeFiles)]);
}

function linkOrCopy(from: string, to: string): void {
  rmSync(to, { force: true });
  try {
    linkSync(from, to);
  } catch {
    copyFileSync(from, to); // the cache is on a different file system
  }
  chmodSync(to, 0o755);
}

/** Starts the machines that are not running, and adds what is missing of the network of each. */
async function startMachines(): Promise<void> {
  const [controlId, ...nodeIds] = await Promise.all([startMachine(control), ...nodes.map(startNode)]);
  await plugControl(control, controlId);
  for (const [index, node] of nodes.entries()) {
    const id = nodeIds[index];
    if (id !== undefined) await plugNode(node, id, controlId);
  }
}

function startNode(node: ClusterNode): Promise<ProcessId> {
  return startMachine(node, { POD_CIDR: node.podCidr, HOST_ADDRESS: addresses.host });
}

async function becomeReady(say: (line: string) => void): Promise<void> {
  await until(readyz, { what: 'the API server to be ready', deadlineMs: 120_000, everyMs: 200 });
  say('the API server is ready');
  await applyBootstrapObjects();
  await until(defaultServiceAccount, {
    what: 'the default ServiceAccount',
    deadlineMs: 60_000,
    everyMs: 200,
  });
  // The Node of a machine that lost its power stays Ready for a while, so its kubelet is asked first.
  await Promise.all(nodes.map(waitForKubelet));
  const names = nodes.map(({ name }) => name);
  await kubectl('wait', '--for=condition=Ready', 'node', ...names, '--timeout=120s');
}

async function waitForKubelet({ name }: ClusterNode): Promise<void> {
  const healthz = `/api/v1/nodes/${name}/proxy/healthz`;
  const probe = async () => await kubectl('get', '--raw', healthz).catch(() => undefined);
  await until(probe, { what: `the kubelet of ${name}`, deadlineMs: 120_000, everyMs: 200 });
}

async function readyz(): Promise<string | undefined> {
  return await kubectl('get', '--raw', '/readyz').catch(() => undefined);
}

/** No Pod can be created before the controller manager has created it. */
async function defaultServiceAccount(): Promise<string | undefined> {
  return await kubectl('get', 'serviceaccount', 'default').catch(() => undefined);
}
