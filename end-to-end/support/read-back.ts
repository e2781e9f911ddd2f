import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { ListedRecording } from '../../src/commands/listed-recording.ts';
import { agentOn } from './agents.ts';
import type { PodOnNode } from './node-captures.ts';
import { kubectlCommand } from './run-kubectl.ts';

/** What `podcap read` in the container of the Node's agent writes to its standard output. */
export async function readBack(
  { uid, node }: Pick<PodOnNode, 'uid' | 'node'>,
  format: 'pcap' | 'pcapng' = 'pcap',
  ...more: readonly string[]
): Promise<Buffer> {
  return await podcap(node, ['read', '--uid', uid, '--format', format, ...more]);
}

/** What `podcap list` in the container of the Node's agent says about the Pod; undefined if it does not list it. */
export async function listedState({
  uid,
  node,
}: Pick<PodOnNode, 'uid' | 'node'>): Promise<ListedRecording | undefined> {
  const listed: ListedRecording[] = JSON.parse((await podcap(node, ['list', '-o', 'json'])).toString());
  return listed.find((one) => one.uid === uid);
}

async function podcap(node: PodOnNode['node'], command: readonly string[]): Promise<Buffer> {
  const inAgent = ['-n', 'kube-system', 'exec', await agentOn(node), '--'];
  const [program, ...args] = kubectlCommand(...inAgent, 'podcap', ...command);
  const { stdout } = await promisify(execFile)(program, args, {
    encoding: 'buffer',
    maxBuffer: 512 * 1024 * 1024,
  });
  return stdout;
}
