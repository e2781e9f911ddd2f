import { mkdir, readdir, rm, rmdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hasCode } from '../base/fs-errors.ts';
import { type InterfaceCounters, parseNetDev } from '../base/net-dev.ts';
import { isLeftover } from './owned-names.ts';
import { type Argv, run } from './run-program.ts';

/** Where the network namespaces of all test runs are mounted; it exists as long as one of them does. */
const folder = join(tmpdir(), 'podcap-testbed-netns');

/** Arguments of sysctl, so that the kernel sends nothing of its own on an interface. */
export const withoutIpv6 = [
  'net.ipv6.conf.all.disable_ipv6=1',
  'net.ipv6.conf.default.disable_ipv6=1',
] as const;

/** Creates a network namespace. Not by `ip netns add`, which would leave a mount on /run/netns behind. */
export async function makeNamespace(name: string): Promise<void> {
  for (;;) {
    try {
      await mkdir(folder, { recursive: true });
      await writeFile(namespacePath(name), '');
      break;
    } catch (error) {
      // Another run has removed its last namespace, and the folder with it.
      if (!hasCode(error, 'ENOENT')) throw error;
    }
  }
  await run(['unshare', `--net=${namespacePath(name)}`, 'true']);
}

/** Removes the namespaces of test runs that were killed. A process that is still in one ends with its interface. */
export async function sweepNamespaces(): Promise<void> {
  const names = await readdir(folder).catch(() => []);
  await Promise.all(names.filter(isLeftover).map(removeNamespace));
}

/** Ignores what does not exist: other runs sweep too, and a test may have deleted the interface. */
export async function removeNamespace(name: string): Promise<void> {
  for (const device of ['eth0', 'host0'])
    await run(inNamespace(name, ['ip', 'link', 'del', device])).catch(() => {});
  await run(['umount', namespacePath(name)]).catch(() => {});
  await rm(namespacePath(name), { force: true });
  // Succeeds with the last namespace only.
  await rmdir(folder).catch(() => {});
}

/** Makes a command run in that namespace, and end with this process. */
export function inNamespace(name: string, argv: Argv): Argv {
  return ['nsenter', `--net=${namespacePath(name)}`, 'setpriv', '--pdeathsig', 'KILL', ...argv];
}

/** The counters of an interface in that namespace. */
export async function countersIn(name: string, interfaceName: string): Promise<InterfaceCounters> {
  const counters = parseNetDev(await run(inNamespace(name, ['cat', '/proc/self/net/dev'])), interfaceName);
  if (!counters) throw new Error(`no interface ${interfaceName} in ${name}`);
  return counters;
}

/** The path at which that namespace is mounted. */
export function namespacePath(name: string): string {
  return join(folder, name);
}
