import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseProcessStat } from '../src/base/process-stat.ts';
import { hierarchies } from './cgroups.ts';
import { cgroupName, stateFolders } from './layout.ts';
import { runCommand } from './run-command.ts';

/**
 * Lists what this machine has that a cluster, a test or a build could leave behind: one line each, sorted, and the same
 * line for the same thing at every call. Comparing a list from before with one from after shows what was left.
 */
export async function hostState(): Promise<string[]> {
  const own = ownProcesses();
  const [links, routes, firewall, longLived] = await Promise.all([
    runCommand('ip', ['-oneline', 'link', 'show']),
    runCommand('ip', ['route', 'show', 'table', 'all']),
    runCommand('nft', ['--stateless', 'list', 'ruleset']),
    longLivedProcesses(own),
  ]);
  const lines = [
    ...namespaces(own),
    ...mounts(readFileSync('/proc/self/mounts', 'utf8')),
    ...linkNames(links).map((name) => `link ${name}`),
    ...linesOf(routes).map((route) => `route ${route.replace(/ expires \S+/, '').trimEnd()}`),
    ...linesOf(firewall).map((line) => `firewall ${line}`),
    ...hierarchies().flatMap(cgroups),
    ...longLived.map((commandLine) => `process ${commandLine}`),
    ...kernelSettings.map((path) => `setting ${path} ${readSetting(path)}`),
    ...folders.filter((path) => existsSync(path)).map((path) => `folder ${path}`),
  ];
  return [...new Set(lines)].toSorted();
}

/** The sysctls that Kubernetes' components set for the whole kernel. */
const kernelSettings = [
  'kernel/panic',
  'kernel/panic_on_oops',
  'net/bridge/bridge-nf-call-iptables',
  'net/ipv4/ip_forward',
  'net/netfilter/nf_conntrack_max',
  'vm/overcommit_memory',
  'vm/panic_on_oom',
];

/** The default folders of Kubernetes' components. */
const folders = [
  '/etc/cni/net.d',
  '/etc/kubernetes',
  '/opt/cni',
  '/run/containerd',
  '/run/netns',
  '/var/lib/cni',
  '/var/lib/containerd',
  '/var/lib/etcd',
  '/var/lib/kubelet',
  '/var/lib/podcap',
  '/var/log/containers',
  '/var/log/pods',
  stateFolders.root,
];

type Process = { readonly pid: number; readonly parent: number; readonly commandLine: string };

function namespaces(own: ReadonlySet<number>): string[] {
  return processes()
    .filter(({ pid }) => !own.has(pid))
    .flatMap(({ pid }) => namespacesOf(pid).map((name) => `namespace ${name}`));
}

function namespacesOf(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/ns`)
      .filter((kind) => !kind.endsWith('_for_children'))
      .map((kind) => readlinkSync(`/proc/${pid}/ns/${kind}`));
  } catch {
    return []; // it has ended
  }
}

/** Includes mounted namespaces, which exist without any process. */
export function mounts(table: string): string[] {
  return linesOf(table).map((line) => {
    const [source, target, type] = line.split(' ');
    return `mount ${type} ${source} ${target}`;
  });
}

/** The name in "5: podcap0@if3: <BROADCAST..." is podcap0. */
export function linkNames(links: string): string[] {
  return linesOf(links).map((line) => line.split(':')[1]?.trim().split('@')[0] ?? line);
}

/** The cgroups of the cluster, and those of Pods anywhere. All others depend on what else the machine runs. */
function cgroups(hierarchy: string): string[] {
  const found: string[] = [];
  const visit = (folder: string) => {
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      if (!entry.isDirectory()) continue;
      const path = join(folder, entry.name);
      if (path.includes(`/${cgroupName}`) || path.includes('/kubepods')) found.push(`cgroup ${path}`);
      visit(path);
    }
  };
  try {
    visit(hierarchy);
  } catch (error) {
    if (existsSync(join(hierarchy, cgroupName))) throw error; // otherwise another program's cgroup was removed
  }
  return found;
}

/** Processes that run for at least a second, without kernel threads and those that started this one. */
async function longLivedProcesses(own: ReadonlySet<number>): Promise<string[]> {
  const before = new Set(processes().map(({ pid }) => pid));
  await sleep(1_000);
  return processes()
    .filter(({ pid, commandLine }) => before.has(pid) && !own.has(pid) && commandLine !== '' && isOurs(pid))
    .map(({ commandLine }) => commandLine);
}

/**
 * Whether this checkout can have left the process behind: its working directory is in the checkout or in the cluster's
 * folders, or it is in a different namespace or in a cgroup of the cluster. All others are not our concern.
 */
function isOurs(pid: number): boolean {
  try {
    const folder = readlinkSync(`/proc/${pid}/cwd`);
    const isInOurFolders = [process.cwd(), stateFolders.root].some((root) => folder.startsWith(root));
    const isInOtherNamespace = ['net', 'mnt', 'pid'].some(
      (kind) => readlinkSync(`/proc/${pid}/ns/${kind}`) !== readlinkSync(`/proc/self/ns/${kind}`),
    );
    return (
      isInOurFolders || isInOtherNamespace || readFileSync(`/proc/${pid}/cgroup`, 'utf8').includes(cgroupName)
    );
  } catch {
    return false; // it has ended
  }
}

/** This process, its ancestors, and its siblings (the other end of a pipe). */
function ownProcesses(): ReadonlySet<number> {
  const all = new Map(processes().map((process) => [process.pid, process]));
  const own = new Set<number>();
  for (let pid = process.pid; pid > 1; pid = all.get(pid)?.parent ?? 0) own.add(pid);
  const shells = new Set([...own].filter((pid) => pid !== process.pid));
  for (const { pid, parent } of all.values()) if (parent === process.ppid && shells.has(parent)) own.add(pid);
  return own;
}

function processes(): Process[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
        const parent = parseProcessStat(stat)?.parent ?? 0;
        const commandLine = readFileSync(`/proc/${name}/cmdline`, 'utf8').replaceAll('\0', ' ').trimEnd();
        return [{ pid: Number(name), parent, commandLine }];
      } catch {
        return []; // it has ended
      }
    });
}

function readSetting(path: string): string {
  try {
    return readFileSync(join('/proc/sys', path), 'utf8').trim();
  } catch {
    return 'absent';
  }
}

function linesOf(output: string): string[] {
  return output.split('\n').filter((line) => line.trim() !== '');
}
