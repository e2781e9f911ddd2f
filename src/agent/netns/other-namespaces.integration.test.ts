import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { run } from '../../testbed/run-program.ts';
import { temporaryFolder } from '../../testbed/temporary-folder.ts';
import { startTcpdump } from '../capture/tcpdump.ts';
import { plainCapture, testSpawner } from '../testing/tcpdump-fixtures.ts';

// pod-networks.ts cannot tell the kinds of namespaces apart. The kernel can, when a namespace is entered.

test.each(['cgroup', 'ipc', 'mount', 'pid', 'time', 'uts'])(
  'a %s namespace is not entered, and nothing is captured',
  async (kind) => {
    await using namespace = await namespaceOf(kind);
    await using folder = await temporaryFolder();
    await using spawner = await testSpawner();
    const file = join(folder.path, 'a.pcap');
    const tcpdump = startTcpdump({
      ...plainCapture,
      spawner,
      netns: namespace.path,
      interface: 'lo',
      file,
    });
    expect(await tcpdump.started).toMatchObject({
      kind: 'ended',
      cause: 'failed',
      message: expect.stringContaining('Invalid argument'),
    });
    expect(await readdir(folder.path)).toEqual([]);
  },
);

/** A new namespace of that kind, mounted like a network namespace. */
async function namespaceOf(kind: string) {
  const folder = await temporaryFolder();
  const mounts = join(folder.path, 'mounts');
  const path = join(mounts, 'cni-1');
  await mkdir(mounts);
  // A mount namespace can be mounted only in a mount that does not propagate.
  await run(['mount', '--bind', '--make-private', mounts, mounts]);
  await writeFile(path, '');
  await run([
    'unshare',
    `--${kind}=${path}`,
    ...(kind === 'pid' || kind === 'time' ? ['--fork'] : []),
    'true',
  ]);
  return {
    path,
    async [Symbol.asyncDispose]() {
      await run(['umount', path]);
      await run(['umount', mounts]);
      await folder[Symbol.asyncDispose]();
    },
  };
}
