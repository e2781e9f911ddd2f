import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { run } from '../../testbed/run-program.ts';
import { temporaryFolder } from '../../testbed/temporary-folder.ts';
import { startTcpdump } from '../capture/tcpdump.ts';
import { plainCapture, testSpawner } from '../testing/tcpdump-fixtures.ts';

// pod-networks.ts takes every namespace for a network's: which kind it is, the kernel knows when it is entered.

test.each(['cgroup', 'ipc', 'mount', 'pid', 'time', 'uts'])(
  'a namespace of the kind %s is not entered, and nothing is captured',
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

/** A new one of that kind, mounted as a network's is. */
async function namespaceOf(kind: string) {
  const folder = await temporaryFolder();
  const mounts = join(folder.path, 'mounts');
  const path = join(mounts, 'cni-1');
  await mkdir(mounts);
  // A mount namespace can be mounted only where nobody else's shows.
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
