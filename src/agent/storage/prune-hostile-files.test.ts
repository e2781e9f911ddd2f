import { closeSync, constants, existsSync, openSync, unlinkSync } from 'node:fs';
import { chmod, chown, mkdir, readdir, symlink, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { run } from '../../testbed/run-program.ts';
import { type TemporaryFolder, temporaryFolder } from '../../testbed/temporary-folder.ts';
import { endedGeneration, makeRingFile, pruningOf, ringFolder } from '../testing/ring-folder.ts';
import type { LeftoverPruning } from './prune-leftovers.ts';

const nameOf = (index: number) => `captres-web.1.pcap00000000${index}`;

// tcpdump's user may write into the folder: anyone who takes over tcpdump can leave anything there.
describe.each([
  ['a file that the agent may not read', unreadableFile],
  ['a link that leads to itself', (path: string) => symlink(path, path)],
  ['a link to nothing', (path: string) => symlink(`${path}.other`, path)],
  ['a link to a file of another ring', (path: string) => symlink('/etc/hostname', path)],
  ['a folder', (path: string) => mkdir(path)],
  ['a folder with a file', folderWithFile],
])('a ring of two whose oldest file is %s', (_what, make) => {
  let regular: readonly string[];
  let left: readonly string[];

  beforeAll(async () => {
    regular = await prunedBehind(makeRingFile);
    left = await prunedBehind(make);
  });

  test('keeps the newest two, and only these if it is a regular file', () => {
    expect(left).toEqual(expect.arrayContaining([nameOf(2), nameOf(3)]));
    expect(regular).toEqual([nameOf(2), nameOf(3)]);
  });

  test('deletes the file that is older than the newest two', () => {
    expect(left).not.toContain(nameOf(1));
  });
});

test('files whose names claim a large generation push out none of a capture that an agent started', async () => {
  await using folder = await temporaryFolder();
  await endedGeneration(ringFolder(folder.path));
  for (const name of [nameOf(1), nameOf(2)]) await makeRingFile(join(folder.path, name));
  // A record of tcpdump's user makes no difference.
  const claimed = [
    'capture.999999999.json',
    ...[0, 1, 2].map((i) => `captres-web.999999999.pcap00000000${i}`),
  ];
  for (const name of claimed) await makeRingFile(join(folder.path, name));
  if (process.geteuid?.() === 0) await chown(join(folder.path, 'capture.999999999.json'), 10_001, 10_001);
  else await unlink(join(folder.path, 'capture.999999999.json'));
  {
    await using _pruning = pruningOf(ringFolder(folder.path), 2);
  }
  const left = (await readdir(folder.path)).filter((name) => name.startsWith('captres-'));
  expect(left.toSorted()).toEqual([nameOf(1), nameOf(2)]);
});

// With one read of the folder for each generation, it takes minutes and gigabytes: longer than the test may.
test('files of many generations are pruned with few reads of the folder', async () => {
  await using folder = await temporaryFolder();
  await endedGeneration(ringFolder(folder.path));
  await makeRingFile(join(folder.path, nameOf(1)));
  for (let generation = 2; generation < 4_000; generation += 1)
    await writeFile(join(folder.path, `captres-web.${generation}.pcap0`), '');
  {
    await using _pruning = pruningOf(ringFolder(folder.path), 2);
  }
  expect(await readdir(folder.path)).toContain(nameOf(1));
}, 60_000);

describe('a ring of two whose oldest file is a named pipe', () => {
  let folder: TemporaryFolder;
  let pruning: LeftoverPruning;
  let hasSettled: boolean;
  let left: readonly string[];

  beforeAll(async () => {
    folder = await temporaryFolder();
    await run(['mkfifo', join(folder.path, nameOf(0))]);
    for (const index of [1, 2, 3]) await makeRingFile(join(folder.path, nameOf(index)));
    pruning = pruningOf(ringFolder(folder.path), 2);
    // Whether it ever settles cannot be observed: if it does, that takes milliseconds.
    hasSettled = await Promise.race([pruning.settled().then(() => true), setTimeout(3_000, false)]);
    left = await readdir(folder.path);
  });

  afterAll(async () => {
    removePipe(join(folder.path, nameOf(0)));
    await pruning[Symbol.asyncDispose]();
    await folder[Symbol.asyncDispose]();
  });

  test('keeps the newest two', () => {
    expect(left).toEqual(expect.arrayContaining([nameOf(2), nameOf(3)]));
  });

  test('does not wait for a writer to the pipe', () => {
    expect(hasSettled).toBe(true);
  });

  test('deletes the file that is older than the newest two', () => {
    expect(left).not.toContain(nameOf(1));
  });
});

/** What is left of that oldest file and three newer ones when a ring of two has been pruned. */
async function prunedBehind(makeOldest: (path: string) => Promise<unknown>): Promise<readonly string[]> {
  await using folder = await temporaryFolder();
  await makeOldest(join(folder.path, nameOf(0)));
  for (const index of [1, 2, 3]) await makeRingFile(join(folder.path, nameOf(index)));
  // The agent does not run as root.
  const root = process.geteuid?.() === 0;
  if (root) await chmod(folder.path, 0o777);
  if (root) process.seteuid?.(10_002);
  try {
    const pruning = pruningOf(ringFolder(folder.path), 2);
    await pruning[Symbol.asyncDispose]();
    return (await readdir(folder.path)).toSorted();
  } finally {
    if (root) process.seteuid?.(0);
  }
}

async function folderWithFile(path: string): Promise<void> {
  await mkdir(path);
  await writeFile(join(path, 'file'), '');
}

async function unreadableFile(path: string): Promise<void> {
  await makeRingFile(path);
  await chmod(path, 0o000);
}

/** Deletes the pipe; anything that has it open for reading reads its end. */
function removePipe(path: string): void {
  if (!existsSync(path)) return;
  const writing = openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
  unlinkSync(path);
  closeSync(writing);
}
