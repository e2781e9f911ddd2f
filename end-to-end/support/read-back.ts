import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { agentOn } from './agents.ts';
import type { PodOnNode } from './node-captures.ts';
import { kubectlCommand } from './run-kubectl.ts';

/** What `podcap read` in the container of the Node's agent writes to its standard output. */
export async function readBack({ uid, node }: Pick<PodOnNode, 'uid' | 'node'>): Promise<Buffer> {
  const inAgent = ['-n', 'kube-system', 'exec', await agentOn(node), '--'];
  const [program, ...args] = kubectlCommand(...inAgent, 'podcap', 'read', '--uid', uid);
  const { stdout } = await promisify(execFile)(program, args, {
    encoding: 'buffer',
    maxBuffer: 512 * 1024 * 1024,
  });
  return stdout;
}
