import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { machineFolder, nodeNamed } from '../cluster/layout.ts';
import { cutPower } from '../cluster/machine.ts';
import { restartAgents } from '../end-to-end/support/agent-daemonset.ts';
import { agentOn } from '../end-to-end/support/agents.ts';
import { partition, reconnect } from '../end-to-end/support/network-partition.ts';
import { captureFolder } from '../end-to-end/support/node-captures.ts';
import { processesOf, spawnerProgram, tcpdumpsOf } from '../end-to-end/support/pod-processes.ts';
import { kubectl } from '../end-to-end/support/run-kubectl.ts';
import { freeSpaceOf } from '../src/agent/storage/free-space.ts';
import { until } from '../src/base/until.ts';
import { must } from '../tools/shell.ts';
import { checkout } from '../tools/target.ts';
import { clusterProcesses, isAgent } from './cluster-processes.ts';
import type { SoakPod } from './observation.ts';
import type { Fault } from './operations.ts';

type FaultyPod = Pick<SoakPod, 'name' | 'uid' | 'node'>;

/** Causes a fault. Resolves when it is over; a process that does not exist at the moment is left out. */
export async function inject(fault: Fault, podNamed: (pod: string) => FaultyPod): Promise<void> {
  switch (fault.kind) {
    case 'killTcpdump':
      return signal(await tcpdumpsOf(podNamed(fault.pod)), 'SIGKILL');
    case 'pauseTcpdump':
      return await pause(await tcpdumpsOf(podNamed(fault.pod)), fault.ms);
    case 'hostileFiles':
      return await leaveHostileFiles(podNamed(fault.pod));
    case 'killContainer':
      return signal(await processesOf(podNamed(fault.pod).uid, 'node'), 'SIGKILL');
    case 'killAgent':
      return signal(await processesIn(fault.node, 'agent'), 'SIGKILL');
    case 'killSpawner':
      return signal(await processesIn(fault.node, spawnerProgram), 'SIGKILL');
    case 'pauseSpawner':
      return await pause(await processesIn(fault.node, spawnerProgram), fault.ms);
    case 'deleteAgent':
      await kubectl('-n', 'kube-system', 'delete', 'pod', await nameOfAgent(fault.node), '--wait=false');
      return;
    case 'rollAgents':
      return await restartAgents();
    case 'pauseAgent':
      return await pause(await processesIn(fault.node, 'agent'), fault.ms);
    case 'killContainerd':
      return signal(await processesIn(fault.node, 'containerd'), 'SIGKILL');
    case 'cutOff':
      await partition(fault.node);
      await sleep(fault.ms);
      return await reconnect(fault.node);
    case 'cutPower':
      cutPower(nodeNamed(fault.node));
      return await must(process.execPath, [`${checkout}/cluster/main.ts`, 'node-start', fault.node]);
    case 'fillDisk':
      return await fillDisk(fault.ms);
    case 'restartApiServer':
      // At TERM it serves open requests for a minute.
      signal(await processesIn('control', 'kube-apiserver'), 'SIGKILL');
      // The soak needs it too.
      await until(async () => (await kubectl('get', '--raw', '/readyz').catch(() => '')) === 'ok', {
        what: 'the API server to be back',
        deadlineMs: 120_000,
      });
  }
}

/** The user that tcpdump runs as, in the deployed chart. */
const captureUser = 10_001;

/** Leaves in a Pod's folder what a compromised tcpdump could. Does nothing if the Pod has no folder. */
async function leaveHostileFiles({ name, uid, node }: FaultyPod): Promise<void> {
  const folder = await captureFolder({ uid, node });
  if (folder === undefined) return;
  const as = ['--reuid', String(captureUser), '--regid', String(captureUser), '--clear-groups'];
  const script = [
    // Pipes block whoever opens them; there are more of them than the agent has threads for files.
    `for i in 1 2 3 4 5 6; do mkfifo captres-${name}.900.pcap00000000$i; done`,
    `ln -s /proc/self/mem captres-${name}.901.pcap000000000`,
    `head -c 100000 /dev/urandom >captres-${name}.999999999.pcap000000000`,
    'mkfifo capture.902.json; echo {} >capture.999999999.json',
    'true',
  ];
  await must('setpriv', [...as, 'sh', '-c', `cd ${folder} && { ${script.join('; ')}; } 2>/dev/null || true`]);
}

/** Waits for an agent: the previous one may have just been deleted. */
async function nameOfAgent(node: string): Promise<string> {
  return await until(async () => (await agentOn(node).catch(() => '')) || undefined, {
    what: `an agent on ${node}`,
    deadlineMs: 120_000,
  });
}

async function processesIn(machine: string, program: string): Promise<number[]> {
  return (await clusterProcesses())
    .filter((each) => each.machine === machine)
    .filter((each) => (program === 'agent' ? isAgent(each) : each.argv[0] === program))
    .map(({ pid }) => pid);
}

async function pause(pids: readonly number[], ms: number): Promise<void> {
  signal(pids, 'SIGSTOP');
  await sleep(ms);
  signal(pids, 'SIGCONT');
}

/** What stays available of the disk, in percent: less than the 3 that the agents leave free, and more than the kubelet's 1. */
const availablePercent = 2;

/** Fills the disk, which both Nodes share, for that long. */
async function fillDisk(ms: number): Promise<void> {
  const folder = machineFolder(nodeNamed('node1'));
  const file = join(folder, 'filled');
  const { availableBytes, capacityBytes } = await freeSpaceOf(folder);
  const bytes = Math.floor(availableBytes - (capacityBytes * availablePercent) / 100);
  try {
    if (bytes > 0) await must('fallocate', ['--length', String(bytes), file]);
    await sleep(ms);
  } finally {
    await rm(file, { force: true });
  }
}

/** A process that has ended meanwhile needs no signal. */
function signal(pids: readonly number[], name: NodeJS.Signals): void {
  for (const pid of pids) {
    try {
      process.kill(pid, name);
    } catch {}
  }
}
