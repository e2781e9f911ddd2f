import * as v from 'valibot';
import { until } from '../../src/base/until.ts';
import { processesOf } from './pod-processes.ts';
import { kubectl } from './run-kubectl.ts';
import type { TestCluster } from './test-cluster.ts';

/** The agent of a Node: its Pod, and its process as this machine numbers it. */
export type AgentProcess = {
  readonly node: string;
  readonly pod: string;
  readonly uid: string;
  readonly pid: number;
};

/** The name of the agent's Pod on that Node. */
export async function agentOn(node: string): Promise<string> {
  const selection = [
    '-l',
    'app=packet-capture',
    '--field-selector',
    `spec.nodeName=${node},status.phase=Running`,
  ];
  const name = ['-o', 'jsonpath={.items[0].metadata.name}'];
  return await kubectl('-n', 'kube-system', 'get', 'pods', ...selection, ...name);
}

/** Runs a command in the agent of that Node and returns its standard output. */
export async function execInAgent(node: string, ...command: readonly string[]): Promise<string> {
  return await kubectl('-n', 'kube-system', 'exec', await agentOn(node), '--', ...command);
}

/** Waits for the agent on that Node; with `previous`, for one that is another process. */
export async function agentProcess(
  { client }: TestCluster,
  node: string,
  previous?: AgentProcess,
): Promise<AgentProcess> {
  return await until(
    async () => {
      const query = { labelSelector: 'app=packet-capture', fieldSelector: `spec.nodeName=${node}` };
      const list = await client.get({ path: '/api/v1/namespaces/kube-system/pods', query });
      for (const { metadata } of v.parse(podsSchema, list).items) {
        if (metadata.deletionTimestamp !== undefined) continue;
        const { uid, name: pod } = metadata;
        const [pid] = await processesOf(uid, 'node');
        if (pid !== undefined && pid !== previous?.pid) return { node, pod, uid, pid };
      }
      return undefined;
    },
    { what: `${previous ? 'another' : 'an'} agent on ${node}`, deadlineMs: 60_000 },
  );
}

const podsSchema = v.object({
  items: v.array(
    v.object({
      metadata: v.object({ name: v.string(), uid: v.string(), deletionTimestamp: v.optional(v.string()) }),
    }),
  ),
});
