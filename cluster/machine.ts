import { spawn } from 'node:child_process';
import { mkdirSync, openSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { until } from '../src/base/until.ts';
import { endMembers, makeMachineCgroups } from './cgroups.ts';
import { addresses, logFolder, type Machine, machineFolder, stateFolders } from './layout.ts';
import { isAlive, type ProcessId } from './process-id.ts';

/**
 * Returns pid 1 of a machine; undefined while the machine is not running. The first thing that a machine does is to
 * write its own pid and start time (inside/boot.sh), so that the record is right whenever `up` is killed.
 */
export function machineProcess(machine: Machine): ProcessId | undefined {
  let record: string;
  try {
    record = readFileSync(join(machineFolder(machine), 'pid1'), 'utf8');
  } catch {
    return undefined;
  }
  const [pid, startTime] = record.trim().split(' ');
  if (pid === undefined || startTime === undefined) return undefined;
  const id = { pid: Number(pid), startTime };
  return isAlive(id) ? id : undefined;
}

/**
 * Starts a machine if it is not running, and returns its pid 1. The machine itself waits for its network, which
 * cluster-network.ts creates. What an earlier run left behind, processes and cgroups, is removed first.
 */
export async function startMachine(
  machine: Machine,
  settings: Readonly<Record<string, string>> = {},
): Promise<ProcessId> {
  const running = machineProcess(machine);
  if (running !== undefined) return running;
  await endMembers(machine);
  rmSync(join(machineFolder(machine), 'pid1'), { force: true });
  boot(machine, makeMachineCgroups(machine), settings);
  return await until(() => machineProcess(machine), {
    what: `pid 1 of ${machine.name}`,
    deadlineMs: 10_000,
    everyMs: 50,
  });
}

/** In its own session and without a descriptor of ours, so that the machine outlives this command and its terminal. */
function boot(machine: Machine, cgroupFiles: readonly string[], settings: Readonly<Record<string, string>>) {
  mkdirSync(logFolder(machine), { recursive: true });
  const log = openSync(join(logFolder(machine), 'boot.log'), 'a');
  spawn('sh', [join(stateFolders.inside, 'start.sh'), ...cgroupFiles], {
    cwd: '/',
    detached: true,
    stdio: ['ignore', log, log],
    env: machineEnvironment(machine, settings),
  }).unref();
}

/** Nothing of the caller's environment: what a component does must not depend on the terminal that started it. */
function machineEnvironment(machine: Machine, settings: Readonly<Record<string, string>>): NodeJS.ProcessEnv {
  return {
    PATH: `${stateFolders.bin}:/usr/sbin:/usr/bin:/sbin:/bin`,
    HOME: '/root',
    STATE: stateFolders.root,
    INSIDE: stateFolders.inside,
    MACHINE: machine.name,
    ROLE: machine.role,
    ADDRESS: machine.address,
    SERVICE_CIDR: addresses.services,
    ...settings,
  };
}

/** Ends everything on the machine at once, like a power cut. Returns false if the machine was not running. */
export function cutPower(machine: Machine): boolean {
  const id = machineProcess(machine);
  if (id !== undefined) process.kill(id.pid, 'SIGKILL');
  return id !== undefined;
}

/** A command line to spawn. */
export type EnteringCommand = { readonly program: string; readonly args: readonly string[] };

/** Returns the command line that runs a command inside a machine, without anything of our environment but TERM. */
export function enter(id: ProcessId, command: readonly string[]): EnteringCommand {
  const namespaces = [
    '--target',
    String(id.pid),
    '--net',
    '--mount',
    '--uts',
    '--ipc',
    '--pid',
    '--wd=/root',
  ];
  const path = `PATH=/opt/podcap/bin:${stateFolders.bin}:/usr/sbin:/usr/bin:/sbin:/bin`;
  const environment = ['-i', path, 'HOME=/root', `TERM=${process.env['TERM'] ?? 'dumb'}`];
  return { program: 'nsenter', args: [...namespaces, '--', 'env', ...environment, ...command] };
}
