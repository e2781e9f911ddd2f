import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { until } from '../../src/base/until.ts';
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

/** The same, once it is in that state, for that reason if one is given: the agent writes states at most every half second. */
export async function waitForListedState(
  pod: Pick<PodOnNode, 'uid' | 'node'>,
  { state, reason }: Pick<ListedRecording, 'state' | 'reason'>,
): Promise<ListedRecording> {
  const inState = async () => {
    const listed = await listedState(pod);
    const isIn = listed?.state === state && (reason === undefined || listed.reason === reason);
    return isIn ? listed : undefined;
  };
  return await until(inState, { what: `podcap list to say ${state} ${reason ?? ''}` });
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
