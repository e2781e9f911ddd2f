import { type AgentProcess, agentProcess } from './agents.ts';
import { type HubReplica, killHub, waitForHubs } from './hub-pods.ts';
import { inNetworkOf } from './network-partition.ts';
import { kubectl } from './run-kubectl.ts';
import type { TestCluster } from './test-cluster.ts';

/** What happens between a reader and an agent, in the middle of their streams. */
export type HubFault = {
  readonly what: string;
  /** It lasts until its end; without it, Kubernetes starts at once what was killed. */
  readonly isLasting: boolean;
  /** Begins; resolves to its end, after which everything is as it was. */
  readonly strike: (at: {
    readonly cluster: TestCluster;
    readonly hub: HubReplica;
    readonly node: string;
  }) => Promise<() => Promise<void>>;
};

export const hubFaults: readonly HubFault[] = [
  {
    what: 'the replica of the hub is killed',
    isLasting: false,
    async strike({ hub }) {
      await killHub(hub);
      return async () => {
        await deletePod(hub.name);
        await waitForHubs(2, [hub]);
      };
    },
  },
  {
    what: 'the replica of the hub is stopped',
    isLasting: false,
    async strike({ hub }) {
      // Until its network is gone: nothing that it has not sent by then arrives.
      await kubectl('-n', 'kube-system', 'delete', 'pod', hub.name, '--timeout=90s');
      return async () => {
        await waitForHubs(2, [hub]);
      };
    },
  },
  {
    what: 'the agent is killed',
    isLasting: false,
    async strike({ cluster, node }) {
      const agent = await agentProcess(cluster, node);
      process.kill(agent.pid, 'SIGKILL');
      return () => replaceAgent(cluster, agent);
    },
  },
  {
    what: 'the packets between agents and hub are silently dropped',
    isLasting: true,
    async strike({ node }) {
      await cutLink(node);
      return () => healLink(node);
    },
  },
];

async function replaceAgent(cluster: TestCluster, agent: AgentProcess): Promise<void> {
  await deletePod(agent.pod);
  await agentProcess(cluster, agent.node, agent);
}

/** A container that dies often is started ever later: a new Pod takes its place. */
async function deletePod(name: string): Promise<void> {
  const now = ['--grace-period=0', '--force', '--wait=false'];
  await kubectl('-n', 'kube-system', 'delete', 'pod', name, ...now);
}

const table = 'podcap-test-link';

async function cutLink(node: string): Promise<void> {
  // In bridges too: agent and hub can be on one Node.
  const drop = 'tcp dport 10251 drop; tcp sport 10251 drop;';
  await inNetworkOf(
    node,
    'nft',
    `table inet ${table} { chain forward { type filter hook forward priority 0; ${drop} }; }
     table bridge ${table} { chain forward { type filter hook forward priority 0; ${drop} }; }`,
  );
}

async function healLink(node: string): Promise<void> {
  await inNetworkOf(node, 'nft', `delete table inet ${table}; delete table bridge ${table};`);
}
