import { join } from 'node:path';
import { pino } from 'pino';
import { machineFolder, nodeNamed } from '../../cluster/layout.ts';
import { machineProcess } from '../../cluster/machine.ts';
import type { RunningPod } from '../../end-to-end/support/test-cluster.ts';
import { watchPodNetworks } from '../../src/agent/netns/pod-networks.ts';
import type { Argv } from '../../src/testbed/run-program.ts';

/** A command that runs in a Pod's network but not in the Pod: the kubelet does not know of it, and cannot stop it. */
export type InPodNetwork = (argv: Argv) => Argv;

/** Found as the agent finds it, in the CNI cache of the Pod's Node, seen from outside the Node. */
export async function podNetwork({ namespace, name, uid, node }: RunningPod): Promise<InPodNetwork> {
  const machine = nodeNamed(node);
  const process = machineProcess(machine);
  if (!process) throw new Error(`${node} does not run`);
  await using networks = await watchPodNetworks({
    resultsFolder: join(machineFolder(machine), 'var/lib/cni/results'),
    // The Node's /run is in its own mount namespace, which its pid 1 shows.
    netnsFolder: `/proc/${process.pid}/root/run/netns`,
    resyncMs: 5_000,
    log: pino({ level: 'silent' }),
  });
  const network = await networks.find({ namespace, name, uid });
  if (!network) throw new Error(`${name} has no network on ${node}`);
  return (argv) => ['nsenter', `--net=${network.netns}`, 'setpriv', '--pdeathsig', 'KILL', ...argv];
}
