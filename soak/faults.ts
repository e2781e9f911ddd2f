import { setTimeout as sleep } from 'node:timers/promises';
import { until } from '../src/lab/until.ts';
import { restartAgents } from '../test/support/agents.ts';
import { agentOn, kubectl, tcpdumpsOf } from '../test/support/cluster.ts';
import { processesOf } from '../test/support/processes.ts';
import type { Life } from './look.ts';
import type { Fault } from './operations.ts';
import { clusterProcesses, isAgent } from './processes.ts';

/** Does it; a process that is not there at the moment is not waited for. */
export async function strike(fault: Fault, lifeOf: (pod: string) => Life): Promise<void> {
  switch (fault.kind) {
    case 'killTcpdump':
      return signal(await tcpdumpsOf(lifeOf(fault.pod)), 'SIGKILL');
    case 'pauseTcpdump':
      return await pause(await tcpdumpsOf(lifeOf(fault.pod)), fault.ms);
    case 'killContainer':
      return signal(await processesOf(lifeOf(fault.pod).uid, 'node'), 'SIGKILL');
    case 'killAgent':
      return signal(await processesIn(fault.node, 'agent'), 'SIGKILL');
    case 'deleteAgent':
      await kubectl('-n', 'kube-system', 'delete', 'pod', await nameOfAgent(fault.node), '--wait=false');
      return;
    case 'rollAgents':
      return await restartAgents();
    case 'killContainerd':
      return signal(await processesIn(fault.node, 'containerd'), 'SIGKILL');
    case 'restartApiServer':
      // At TERM it drains for a minute.
      signal(await processesIn('control', 'kube-apiserver'), 'SIGKILL');
      // Whoever soaks needs it too.
      await until(async () => (await kubectl('get', '--raw', '/readyz').catch(() => '')) === 'ok', {
        what: 'the API server to be back',
        deadlineMs: 120_000,
      });
  }
}

/** The one before may have been deleted a moment ago. */
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

/** What has ended meanwhile needs no signal. */
function signal(pids: readonly number[], name: NodeJS.Signals): void {
  for (const pid of pids) {
    try {
      process.kill(pid, name);
    } catch {}
  }
}
