import { mkdir, readdir, rm, rmdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hasCode } from '../base/fs-errors.ts';
import { isLeftover } from './owned-names.ts';
import { type Argv, run } from './run-program.ts';

/** Where the network namespaces of all test runs are mounted; it is there as long as one of them is. */
const folder = join(tmpdir(), 'podcap-testbed-netns');

/** Arguments of sysctl: nothing is sent on an interface by the kernel itself. */
export const withoutIpv6 = [
  'net.ipv6.conf.all.disable_ipv6=1',
  'net.ipv6.conf.default.disable_ipv6=1',
] as const;

/** As `ip netns add`, which would leave a mount on /run/netns behind. */
export async function makeNamespace(name: string): Promise<void> {
  for (;;) {
    try {
      await mkdir(folder, { recursive: true });
      await writeFile(namespacePath(name), '');
      break;
    } catch (error) {
      // Another run took its last namespace away, and the folder with it.
      if (!hasCode(error, 'ENOENT')) throw error;
    }
  }
  await run(['unshare', `--net=${namespacePath(name)}`, 'true']);
}

/** Of test runs that were killed. A process that still sits in such a network ends with its interface. */
export async function sweepNamespaces(): Promise<void> {
  const names = await readdir(folder).catch(() => []);
  await Promise.all(names.filter(isLeftover).map(removeNamespace));
}

/** Other runs sweep too, and a test may have deleted the interface: what is not there needs no removing. */
export async function removeNamespace(name: string): Promise<void> {
  for (const device of ['eth0', 'host0'])
    await run(inNamespace(name, ['ip', 'link', 'del', device])).catch(() => {});
  await run(['umount', namespacePath(name)]).catch(() => {});
  await rm(namespacePath(name), { force: true });
  // The last one takes the folder with it.
  await rmdir(folder).catch(() => {});
}

/** A command that runs in that namespace when it is spawned, and dies with this process. */
export function inNamespace(name: string, argv: Argv): Argv {
  return ['nsenter', `--net=${namespacePath(name)}`, 'setpriv', '--pdeathsig', 'KILL', ...argv];
}

export function namespacePath(name: string): string {
  return join(folder, name);
}
