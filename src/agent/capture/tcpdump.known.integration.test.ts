import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { temporaryFolder } from '../../testbed/temporary-folder.ts';
import { until } from '../../testbed/until.ts';
import { vethTestbed } from '../../testbed/veth-testbed.ts';
import { plainCapture, testSpawner } from '../testing/tcpdump-fixtures.ts';
import { startTcpdump } from './tcpdump.ts';

describe('a tcpdump that is told how many files to keep', () => {
  let once: number;
  let oftenBefore: number;

  beforeAll(async () => {
    once = await filesKept([12]);
    // Two bytes each, and two bytes of the last one: 256.
    oftenBefore = await filesKept([...Array.from({ length: 127 }, (_, i) => (i % 2 === 0 ? 6 : 5)), 12]);
  });

  test('keeps so many', () => {
    expect(once).toBe(12);
  });

  test.fails('keeps so many as it was told last, however often it was told while no file was full', () => {
    expect(oftenBefore).toBe(12);
  });
});

/** How many files stand of some sixteen when it was told these numbers before the third one began. */
async function filesKept(told: readonly number[]): Promise<number> {
  await using testbed = await vethTestbed();
  await using folder = await temporaryFolder();
  await using spawner = await testSpawner();
  let begun = 0;
  const file = join(folder.path, 'web.pcap');
  const tcpdump = startTcpdump({
    ...plainCapture,
    spawner,
    netns: testbed.netns,
    file,
    files: 5,
    onFiles: (files) => (begun = files.begun),
  });
  await tcpdump.started;
  // What it is told at the start it has read when the second file begins.
  await tcpdump.count();
  // 1,000-byte datagrams: about 930 fill a file.
  await testbed.sendDatagrams({ count: 1_000, rate: 8_000, bytes: 1_000 });
  await until(() => begun === 2, { what: 'the second file' });
  for (const files of told) tcpdump.keep(files);
  // The answer comes when all that was asked for before has been done.
  await tcpdump.count();
  await testbed.sendDatagrams({ count: 14_000, rate: 10_000, bytes: 1_000 });
  await tcpdump.stop('flush');
  if (begun < 14) throw new Error(`${begun} files`);
  return (await readdir(folder.path)).length;
}
