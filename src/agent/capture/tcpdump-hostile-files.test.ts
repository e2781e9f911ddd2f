import { closeSync, constants, openSync, unlinkSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { captureFile } from '../../pcap/testing/capture-files.ts';
import { run } from '../../testbed/run-program.ts';
import { type TemporaryFolder, temporaryFolder } from '../../testbed/temporary-folder.ts';
import { trackTcpdumpFiles } from './tcpdump-files.ts';

// tcpdump's user may write into the folder: a process that takes over this user can put anything there.
describe('the files of a killed tcpdump, with named pipes in place of those after the third', () => {
  const pipes = [3, 4, 5, 6, 7, 8];
  let folder: TemporaryFolder;
  let withoutPipes: number;
  let withPipes: number | undefined;
  const pathOf = (index: number) => join(folder.path, `captres-web.1.pcap00000000${index}`);

  beforeAll(async () => {
    folder = await temporaryFolder();
    const files = trackTcpdumpFiles({ prune() {} }, join(folder.path, 'captres-web.1.pcap'));
    files.next({ started: 3, packets: 930, pruned: 0 });
    const packets = Array.from({ length: 7 }, (_, timeUs) => ({ timeUs, data: new Uint8Array(60) }));
    await writeFile(pathOf(2), captureFile(packets));
    withoutPipes = await files.packets();
    await run(['mkfifo', ...pipes.map(pathOf)]);
    // Nothing shows that it never ends; if it ends, it takes milliseconds.
    withPipes = await Promise.race([files.packets(), setTimeout(3_000, undefined)]);
  });

  afterAll(async () => {
    removePipes(pipes.map(pathOf));
    await folder[Symbol.asyncDispose]();
  });

  test('are counted when there are no pipes', () => {
    expect(withoutPipes).toBe(937);
  });

  test('are counted without waiting for a writer of the pipes', () => {
    expect(withPipes).toBe(937);
  });
});

/** Lets blocked readers read an end. Synchronous, because these readers occupy all threads that access files. */
function removePipes(paths: readonly string[]): void {
  const writing = paths.map((path) => openSync(path, constants.O_RDWR | constants.O_NONBLOCK));
  for (const path of paths) unlinkSync(path);
  for (const descriptor of writing) closeSync(descriptor);
}
