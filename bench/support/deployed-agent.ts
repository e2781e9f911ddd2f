import { processesOf } from '../../end-to-end/support/pod-processes.ts';
import { agentOn, kubectl } from '../../end-to-end/support/test-cluster.ts';

/** The process of the deployed agent on that Node, as this machine numbers it. */
export async function agentProcess(node: string): Promise<number> {
  const agent = await agentOn(node);
  const uid = await kubectl('-n', 'kube-system', 'get', 'pod', agent, '-o', 'jsonpath={.metadata.uid}');
  const [pid] = await processesOf(uid, 'node');
  if (pid === undefined) throw new Error(`${agent} has no process node`);
  return pid;
}
