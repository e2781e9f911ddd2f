import { closeSync, constants, openSync, unlinkSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { captureFile } from '../../pcap/testing/capture-files.ts';
import { run } from '../../testbed/run-program.ts';
import { type TemporaryFolder, temporaryFolder } from '../../testbed/temporary-folder.ts';
import { trackTcpdumpFiles } from './tcpdump-files.ts';

// tcpdump's user may write into the folder: whoever takes it over leaves there what he likes.
describe('the files of a tcpdump that was killed, with named pipes in the place of those after the third', () => {
  const pipes = [3, 4, 5, 6, 7, 8];
  let folder: TemporaryFolder;
  let before: number;
  let within: number | undefined;
  const pathOf = (index: number) => join(folder.path, `captres-web.1.pcap0${index}`);

  beforeAll(async () => {
    folder = await temporaryFolder();
    const files = trackTcpdumpFiles({ prune() {} }, join(folder.path, 'captres-web.1.pcap'), 20);
    files.next({ begun: 3, packets: 930, pruned: 0 });
    const packets = Array.from({ length: 7 }, (_, timeUs) => ({ timeUs, data: new Uint8Array(60) }));
    await writeFile(pathOf(2), captureFile(packets));
    before = await files.packets();
    await run(['mkfifo', ...pipes.map(pathOf)]);
    // Nothing tells that it never ends: it takes milliseconds when it does.
    within = await Promise.race([files.packets(), setTimeout(3_000, undefined)]);
  });

  afterAll(async () => {
    removePipes(pipes.map(pathOf));
    await folder[Symbol.asyncDispose]();
  });

  test('are counted without them', () => {
    expect(before).toBe(937);
  });

  test.fails('are counted, and nobody waits for who writes into the pipes', () => {
    expect(within).toBe(937);
  });
});

/** Whoever opened one to read reads its end. At once: what reads has every thread that files are read by. */
function removePipes(paths: readonly string[]): void {
  const writing = paths.map((path) => openSync(path, constants.O_RDWR | constants.O_NONBLOCK));
  for (const path of paths) unlinkSync(path);
  for (const descriptor of writing) closeSync(descriptor);
}
