import { join } from 'node:path';
import { pino } from 'pino';
import { machineFolder, nodeNamed } from '../../cluster/layout.ts';
import { machineProcess } from '../../cluster/machine.ts';
import type { RunningPod } from '../../end-to-end/support/namespace-pods.ts';
import { watchPodNetworks } from '../../src/agent/netns/pod-networks.ts';
import type { Argv } from '../../src/testbed/run-program.ts';

/** Wraps a command to run in a Pod's network but not in the Pod, so that the kubelet cannot stop it. */
export type InPodNetwork = (argv: Argv) => Argv;

/** Finds the Pod's network in the CNI cache of its Node, as the agent does; throws when there is none. */
export async function podNetwork({ namespace, name, uid, node }: RunningPod): Promise<InPodNetwork> {
  const machine = nodeNamed(node);
  const nodeProcess = machineProcess(machine);
  if (!nodeProcess) throw new Error(`${node} does not run`);
  await using networks = await watchPodNetworks({
    resultsFolder: join(machineFolder(machine), 'var/lib/cni/results'),
    // The Node has its own mount namespace; /proc shows its /run.
    netnsFolder: `/proc/${nodeProcess.pid}/root/run/netns`,
    resyncMs: 5_000,
    log: pino({ level: 'silent' }),
  });
  const network = await networks.find({ namespace, name, uid });
  if (!network) throw new Error(`${name} has no network on ${node}`);
  return (argv) => ['nsenter', `--net=${network.netns}`, 'setpriv', '--pdeathsig', 'KILL', ...argv];
}
