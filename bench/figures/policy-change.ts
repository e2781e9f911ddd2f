import { agentOn } from '../../end-to-end/support/agents.ts';
import { type NamespacePolicies, namespacePolicies } from '../../end-to-end/support/capture-policies.ts';
import type { RunningPod } from '../../end-to-end/support/namespace-pods.ts';
import { type TestCluster, testCluster } from '../../end-to-end/support/test-cluster.ts';
import type { Figure, Measurement, MeasureOptions } from '../figure.ts';
import { type AgentLog, followLog, type WantedLine } from '../support/agent-log.ts';
import { idlePods } from '../support/idle-pods.ts';
import { rowOf } from '../support/row.ts';

/** From a request that changes what is selected to the capture that starts or ends for it, among many policies. */
export const policyChange: Figure = {
  name: 'policy-change',
  unit: 'ms',
  goal: '<= 1,000 for every change',
  runs: 5,
  needs: 'cluster',
  measure,
};

const node = 'node1';
const podCount = 20;
const policyCount = 200;
const mostMs = 1_000;

type Change = {
  readonly name: string;
  readonly message: WantedLine['message'];
  readonly make: (scene: Scene, pod: RunningPod, policy: string) => Promise<void>;
};

/** Each is made for one Pod after the other, in this order. */
const changes: readonly Change[] = [
  {
    name: 'a label that a policy selects',
    message: 'capture started',
    make: ({ cluster }, pod, policy) => label(cluster, pod, policy),
  },
  {
    name: 'a policy that is deleted',
    message: 'capture stopped',
    make: ({ policies }, _pod, policy) => policies.delete(policy),
  },
  {
    name: 'a policy that is created',
    message: 'capture started',
    make: ({ policies }, _pod, policy) => createPolicy(policies, policy),
  },
  {
    name: 'a label that no policy selects',
    message: 'capture stopped',
    make: ({ cluster }, pod) => label(cluster, pod, 'none'),
  },
];

type Scene = {
  readonly cluster: TestCluster;
  readonly policies: NamespacePolicies;
  readonly pods: readonly RunningPod[];
  readonly log: AgentLog;
};

async function measure({ runs, report }: MeasureOptions): Promise<Measurement> {
  await using cluster = await testCluster();
  const policies = namespacePolicies(cluster);
  for (let at = 0; at < policyCount; at += 1) await createPolicy(policies, nameOf(at));
  const pods = await idlePods(cluster, { node, from: 0, to: podCount });
  await using log = await followLog(cluster.client, await agentOn(node));
  const rounds: number[][][] = [];
  while (rounds.length < runs) {
    const round = await measureRound({ cluster, policies, pods, log });
    rounds.push(round);
    report(`round ${rounds.length} of ${runs}: at most ${Math.max(...round.flat())} ms`);
  }
  const rows = changes.map(({ name }, at) =>
    rowOf(
      'podcap',
      name,
      rounds.flatMap((round) => round[at] ?? []),
    ),
  );
  return { isReached: rows.every(({ max }) => max <= mostMs), rows };
}

/** The milliseconds of each change, for each Pod. */
async function measureRound(scene: Scene): Promise<number[][]> {
  const round: number[][] = [];
  for (const { message, make } of changes) {
    const values: number[] = [];
    for (const [at, pod] of scene.pods.entries()) {
      const fromMs = Date.now();
      await make(scene, pod, nameOf(at));
      values.push((await scene.log.line({ message, uid: pod.uid, fromMs })).time - fromMs);
    }
    round.push(values);
  }
  return round;
}

function nameOf(at: number): string {
  return `policy-${at}`;
}

async function createPolicy(policies: NamespacePolicies, name: string): Promise<void> {
  await policies.create(name, name, { files: 2 });
}

async function label({ client, namespace }: TestCluster, { name }: RunningPod, app: string): Promise<void> {
  await client.patch({
    path: `/api/v1/namespaces/${namespace}/pods/${name}`,
    body: { metadata: { labels: { app } } },
  });
}
