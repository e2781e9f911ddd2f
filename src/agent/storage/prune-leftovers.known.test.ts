import { closeSync, constants, existsSync, openSync, unlinkSync } from 'node:fs';
import { chmod, mkdir, readdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { run } from '../../testbed/run-program.ts';
import { type TemporaryFolder, temporaryFolder } from '../../testbed/temporary-folder.ts';
import { type LeftoverPruning, startLeftoverPruning } from './prune-leftovers.ts';

const log = pino({ level: 'silent' });
const nameOf = (index: number) => `captres-web.1.pcap0${index}`;

// tcpdump's user may write into the folder: whoever takes it over leaves there what he likes.
describe.each([
  ['a file that is closed to the agent', closedFile],
  ['a link that leads to itself', (path: string) => symlink(path, path)],
  ['a folder', (path: string) => mkdir(path)],
])('a wake of two in whose oldest place is %s', (_what, make) => {
  let regular: readonly string[];
  let standing: readonly string[];

  beforeAll(async () => {
    regular = await prunedBehind((path) => writeFile(path, ''));
    standing = await prunedBehind(make);
  });

  test('keeps the newest two, and no more when it is a file', () => {
    expect(standing).toEqual(expect.arrayContaining([nameOf(2), nameOf(3)]));
    expect(regular).toEqual([nameOf(2), nameOf(3)]);
  });

  test.fails('deletes the file before the newest two', () => {
    expect(standing).not.toContain(nameOf(1));
  });
});

describe('a wake of two in whose oldest place is a named pipe', () => {
  let folder: TemporaryFolder;
  let wake: LeftoverPruning;
  let hasSettled: boolean;
  let standing: readonly string[];

  beforeAll(async () => {
    folder = await temporaryFolder();
    await run(['mkfifo', join(folder.path, nameOf(0))]);
    for (const index of [1, 2, 3]) await writeFile(join(folder.path, nameOf(index)), '');
    wake = startLeftoverPruning({ folder: folder.path, files: 2, wrapAfter: 20, log });
    // Nothing tells that it never ends: it takes milliseconds when it does.
    hasSettled = await Promise.race([wake.settled().then(() => true), setTimeout(3_000, false)]);
    standing = await readdir(folder.path);
  });

  afterAll(async () => {
    removePipe(join(folder.path, nameOf(0)));
    await wake[Symbol.asyncDispose]();
    await folder[Symbol.asyncDispose]();
  });

  test('keeps the newest two', () => {
    expect(standing).toEqual(expect.arrayContaining([nameOf(2), nameOf(3)]));
  });

  test.fails('does not wait for somebody who writes into it', () => {
    expect(hasSettled).toBe(true);
  });

  test.fails('deletes the file before the newest two', () => {
    expect(standing).not.toContain(nameOf(1));
  });
});

/** What stands of three files behind that oldest one when a wake of two has been pruned. */
async function prunedBehind(makeOldest: (path: string) => Promise<unknown>): Promise<readonly string[]> {
  await using folder = await temporaryFolder();
  await makeOldest(join(folder.path, nameOf(0)));
  for (const index of [1, 2, 3]) await writeFile(join(folder.path, nameOf(index)), '');
  // The agent is not root.
  const root = process.geteuid?.() === 0;
  if (root) await chmod(folder.path, 0o777);
  if (root) process.seteuid?.(10_002);
  try {
    const wake = startLeftoverPruning({ folder: folder.path, files: 2, wrapAfter: 20, log });
    await wake[Symbol.asyncDispose]();
    return (await readdir(folder.path)).toSorted();
  } finally {
    if (root) process.seteuid?.(0);
  }
}

async function closedFile(path: string): Promise<void> {
  await writeFile(path, '', { mode: 0o000 });
}

/** Takes the pipe away; whoever opened it to read reads its end. */
function removePipe(path: string): void {
  if (!existsSync(path)) return;
  const writing = openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
  unlinkSync(path);
  closeSync(writing);
}
