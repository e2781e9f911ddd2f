import { agentOn } from '../../end-to-end/support/agents.ts';
import { processesOf } from '../../end-to-end/support/pod-processes.ts';
import { kubectl } from '../../end-to-end/support/run-kubectl.ts';

/** The PID on this machine of the deployed agent on that Node; throws when it does not run. */
export async function agentProcess(node: string): Promise<number> {
  const agent = await agentOn(node);
  const uid = await kubectl('-n', 'kube-system', 'get', 'pod', agent, '-o', 'jsonpath={.metadata.uid}');
  const [pid] = await processesOf(uid, 'node');
  if (pid === undefined) throw new Error(`${agent} has no node process`);
  return pid;
}
