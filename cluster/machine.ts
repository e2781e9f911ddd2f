import { spawn } from 'node:child_process';
import { mkdirSync, openSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { endMembers, makeMachineCgroups } from './cgroups.ts';
import { addresses, logFolder, type Machine, machineFolder, stateFolders } from './layout.ts';
import { isAlive, type ProcessId } from './process-id.ts';
import { until } from './until.ts';

/**
 * The living pid 1 of a machine, or undefined. A machine writes its pid and start time itself, as its first deed
 * (inside/boot.sh), so that the record is right whenever `up` is killed.
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
 * Starts a machine if it does not live, and gives its pid 1. It waits for its network itself (cluster-network.ts).
 * What an earlier life left, processes and cgroups, is removed first.
 */
export async function startMachine(
  machine: Machine,
  settings: Readonly<Record<string, string>> = {},
): Promise<ProcessId> {
  const living = machineProcess(machine);
  if (living !== undefined) return living;
  await endMembers(machine);
  rmSync(join(machineFolder(machine), 'pid1'), { force: true });
  boot(machine, makeMachineCgroups(machine), settings);
  return await until(() => machineProcess(machine), { what: `pid 1 of ${machine.name}`, deadlineMs: 10_000 });
}

/** In a session of its own and with no descriptor of ours, so that it outlives this command and its terminal. */
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

/** Nothing of the caller's environment: what a component does must not hang on the terminal that started it. */
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

/** As a power cut would: everything that runs on the machine ends at once. */
export function cutPower(machine: Machine): boolean {
  const id = machineProcess(machine);
  if (id !== undefined) process.kill(id.pid, 'SIGKILL');
  return id !== undefined;
}

export type EnteringCommand = { readonly program: string; readonly args: readonly string[] };

/** The command line that runs a command inside a machine, with the machine's environment and nothing of ours. */
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
