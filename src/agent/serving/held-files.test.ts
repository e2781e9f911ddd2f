import { unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openPcap } from '../../pcap/pcap-file.ts';
import { captureFile } from '../../pcap/testing/capture-files.ts';
import { temporaryFolder } from '../../testbed/temporary-folder.ts';
import { heldFiles } from './held-files.ts';

test('one reader after the other is dropped, those who keep most first, until little enough is held', async () => {
  await using folder = await temporaryFolder();
  await using opened = new AsyncDisposableStack();
  const held = heldFiles({ mostBytes: 1_000_000 });
  const dropped: number[] = [];
  for (const megabytes of [1, 3, 2]) {
    const path = join(folder.path, `${megabytes}`);
    await writeFile(path, Buffer.concat([captureFile([]), Buffer.alloc(megabytes * 1_000_000, 1)]));
    const file = await openPcap(path);
    if (file.kind !== 'pcap') throw new Error('no capture file');
    opened.use(file);
    await unlink(path);
    // They take their time to close it.
    held.hold(
      () => [file],
      () => dropped.push(megabytes),
    );
  }
  for (let turn = 0; turn < 4; turn += 1) await held.measure();
  expect(dropped).toEqual([3, 2, 1]);
});
