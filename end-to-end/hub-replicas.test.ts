import { expect } from 'vitest';
import { until } from '../src/base/until.ts';
import { restartAgents } from './support/agent-daemonset.ts';
import { agentProcess } from './support/agents.ts';
import { test } from './support/cluster-test.ts';
import { hubRolledOut, killHub, readyHubs, startHubRollout, waitForHubs } from './support/hub-pods.ts';
import {
  goInformer,
  type InformedCaptures,
  type KnownCaptures,
  listedCaptures,
  nodeInformer,
  textOfCaptures,
} from './support/informed-captures.ts';
import { idle } from './support/pod-manifests.ts';
import type { TestCluster } from './support/test-cluster.ts';

test('informers of Go and Node.js know in the end what there is, while Pods, agents and replicas come and go', async ({
  cluster,
}) => {
  const { namespace } = cluster;
  await waitForHubs(2);
  await startCaptured(cluster, 'stays', 'node1');
  await using go = await goInformer(namespace);
  await using node = await nodeInformer(namespace);
  await expectToAgree(namespace, [go, node], ['stays']);

  const disturbances = [killOneAgent, killOneHub, restartAgents, updateHubs];
  for (const [round, disturb] of [...disturbances, ...disturbances, ...disturbances].entries()) {
    const name = `round-${round}`;
    await startCaptured(cluster, name, round % 2 === 0 ? 'node1' : 'node2');
    await disturb(cluster);
    // A deletion that an informer misses would stay in its cache for ever.
    await cluster.annotate(name, null);
    await startCaptured(cluster, `${name}-later`, 'node2');
    await expectToAgree(namespace, [go, node], names(round));
  }
}, 600_000);

async function startCaptured(cluster: TestCluster, name: string, node: string): Promise<void> {
  const { uid } = await cluster.start(idle({ name, node, annotation: '2' }));
  await cluster.event(uid, 'CaptureStarted');
}

/** Those that must be there after that round. */
function names(round: number): string[] {
  return ['stays', ...Array.from({ length: round + 1 }, (_, i) => `round-${i}-later`)];
}

async function killOneAgent(cluster: TestCluster): Promise<void> {
  const agent = await agentProcess(cluster, 'node1');
  process.kill(agent.pid, 'SIGKILL');
  await agentProcess(cluster, 'node1', agent);
}

async function killOneHub(): Promise<void> {
  const [hub] = await readyHubs();
  if (!hub) throw new Error('no hub is ready');
  await killHub(hub);
}

async function updateHubs(): Promise<void> {
  await startHubRollout();
  await hubRolledOut();
}

/** Waits until the API has exactly these captures, all of them captured, and each informer the same. */
async function expectToAgree(
  namespace: string,
  informers: readonly InformedCaptures[],
  expected: readonly string[],
): Promise<void> {
  let last: readonly (KnownCaptures | undefined)[] = [];
  const agree = async () => {
    const truth = await listedCaptures(namespace).catch(() => undefined);
    last = [truth, ...(await Promise.all(informers.map(({ known }) => known())))];
    const isComplete =
      Object.keys(truth ?? {})
        .toSorted()
        .join() === expected.toSorted().join();
    const areCaptured = Object.values(truth ?? {}).every(([newest]) => newest?.endsWith(' Capturing'));
    return isComplete && areCaptured && new Set(last.map(textOfCaptures)).size === 1;
  };
  const deadline = { deadlineMs: 120_000, everyMs: 500 };
  await until(agree, { what: 'all to agree', ...deadline }).catch(() => {
    const [truth, ...known] = last;
    expect(known).toEqual(known.map(() => truth));
    expect(Object.keys(truth ?? {}).toSorted()).toEqual(expected.toSorted());
    throw new Error(`not all are captured: ${textOfCaptures(truth)}`);
  });
}
