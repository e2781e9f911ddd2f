import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pino } from 'pino';
import { beforeAll, describe, expect, test } from 'vitest';
import { temporaryFolder } from '../../testbed/temporary-folder.ts';
import { openCaptureFolders } from './capture-folders.ts';
import { ringFileName } from './file-names.ts';
import { readRecording } from './recordings.ts';

const pod = { namespace: 'default', name: 'web', uid: 'uid-1' };

// tcpdump's user may write into the folder: anyone who takes over tcpdump can leave anything there.
describe('a capture that starts', () => {
  let afterUsual: readonly string[];
  let afterLargest: readonly string[];

  beforeAll(async () => {
    afterUsual = await foundAfter('captres-web.6.pcap000000000');
    afterLargest = await foundAfter('captres-web.999999999.pcap000000000');
  });

  test('is found by its files next to those of an earlier capture', () => {
    expect(afterUsual).toHaveLength(1);
  });

  test('is found by its files although a file name claims the largest generation', () => {
    expect(afterLargest).toHaveLength(1);
  });
});

/** The files that readers find of a capture that writes one file, in a folder with a file of that name. */
async function foundAfter(name: string): Promise<readonly string[]> {
  await using root = await temporaryFolder();
  const folders = await openCaptureFolders({
    root: root.path,
    groupId: process.getgid?.() ?? 0,
    clock: { nowMs: () => 1_000, bootId: 'boot' },
    log: pino({ level: 'silent' }),
  });
  const folder = await folders.open(pod);
  await writeFile(join(folder.path, name), '');
  const parameters = { agent: 'podcap-1', interface: 'eth0', sandboxId: 'sandbox1', fileMegabytes: 1 };
  const { file } = await folder.createGeneration(parameters);
  const written = ringFileName(file, 0);
  await writeFile(written, '');
  const recording = await readRecording(folder.path, { ...pod, pod: pod.name });
  const files = recording?.generations.flatMap((generation) => generation.files) ?? [];
  return files.map(({ path }) => path).filter((path) => path === written);
}
