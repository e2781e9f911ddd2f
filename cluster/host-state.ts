import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { hierarchies } from './cgroups.ts';
import { cgroupName, stateFolders } from './layout.ts';
import { run } from './run-command.ts';

/**
 * Lists what a machine has that a cluster, a test or a build could leave behind: one line each, sorted, the same
 * line at every call for the same thing. Two lists compared, before and after, show what was left.
 */
export async function hostState(): Promise<string[]> {
  const own = ownProcesses();
  const [links, routes, firewall, longLived] = await Promise.all([
    run('ip', ['-oneline', 'link', 'show']),
    run('ip', ['route', 'show', 'table', 'all']),
    run('nft', ['--stateless', 'list', 'ruleset']),
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

/** What Kubernetes' components set for a whole kernel. */
const kernelSettings = [
  'kernel/panic',
  'kernel/panic_on_oops',
  'net/bridge/bridge-nf-call-iptables',
  'net/ipv4/ip_forward',
  'net/netfilter/nf_conntrack_max',
  'vm/overcommit_memory',
  'vm/panic_on_oom',
];

/** Where Kubernetes' components keep things, if they are not told otherwise. */
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

/** Mounts of namespaces among them: such a namespace stays without any process. */
export function mounts(table: string): string[] {
  return linesOf(table).map((line) => {
    const [source, target, type] = line.split(' ');
    return `mount ${type} ${source} ${target}`;
  });
}

/** "5: podcap0@if3: <BROADCAST..." gives podcap0. */
export function linkNames(links: string): string[] {
  return linesOf(links).map((line) => line.split(':')[1]?.trim().split('@')[0] ?? line);
}

/** The cluster's, and those of Pods wherever they are: what else is there comes and goes with other programs. */
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
    if (existsSync(join(hierarchy, cgroupName))) throw error; // else one of another program's was just removed
  }
  return found;
}

/** Those that live at least a second, but for kernel threads and those that this one is run by. */
async function longLivedProcesses(own: ReadonlySet<number>): Promise<string[]> {
  const before = new Set(processes().map(({ pid }) => pid));
  await sleep(1_000);
  return processes()
    .filter(({ pid, commandLine }) => before.has(pid) && !own.has(pid) && commandLine !== '' && isOurs(pid))
    .map(({ commandLine }) => commandLine);
}

/**
 * Whether a run of this checkout can have left it: it works in the checkout or in the cluster's folders, as whatever is
 * started there does, or it is in a namespace or cgroup of its own. What else a machine starts and ends is its affair.
 */
function isOurs(pid: number): boolean {
  try {
    const folder = readlinkSync(`/proc/${pid}/cwd`);
    const isInside = [process.cwd(), stateFolders.root].some((root) => folder.startsWith(root));
    const isApart = ['net', 'mnt', 'pid'].some(
      (kind) => readlinkSync(`/proc/${pid}/ns/${kind}`) !== readlinkSync(`/proc/self/ns/${kind}`),
    );
    return isInside || isApart || readFileSync(`/proc/${pid}/cgroup`, 'utf8').includes(cgroupName);
  } catch {
    return false; // it has ended
  }
}

/** This process, its ancestors, and what they run at the moment beside it (a pipe's other end). */
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
        const parent = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
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
