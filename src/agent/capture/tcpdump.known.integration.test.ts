import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { until } from '../../base/until.ts';
import { temporaryFolder } from '../../testbed/temporary-folder.ts';
import { vethTestbed } from '../../testbed/veth-testbed.ts';
import { plainCapture, testSpawner } from '../testing/tcpdump-fixtures.ts';
import { startTcpdump } from './tcpdump.ts';

describe('a tcpdump that is given a number of files to keep', () => {
  let afterOneNumber: number;
  let afterManyNumbers: number;

  beforeAll(async () => {
    afterOneNumber = await filesKept([12]);
    // 127 numbers of two bytes, and two bytes of the last one: 256.
    afterManyNumbers = await filesKept([...Array.from({ length: 127 }, (_, i) => (i % 2 === 0 ? 6 : 5)), 12]);
  });

  test('keeps that many', () => {
    expect(afterOneNumber).toBe(12);
  });

  test.fails('keeps the last number of files, however many numbers it was given while no file was full', () => {
    expect(afterManyNumbers).toBe(12);
  });
});

/** How many of about sixteen files remain if tcpdump was given these numbers before it started the third one. */
async function filesKept(numbers: readonly number[]): Promise<number> {
  await using testbed = await vethTestbed();
  await using folder = await temporaryFolder();
  await using spawner = await testSpawner();
  let started = 0;
  const file = join(folder.path, 'web.pcap');
  const tcpdump = startTcpdump({
    ...plainCapture,
    spawner,
    netns: testbed.netns,
    file,
    files: 5,
    onFiles: (files) => (started = files.started),
  });
  await tcpdump.started;
  // It has read the number of the start by the time it starts the second file.
  await tcpdump.count();
  // 1,000-byte datagrams: about 930 fill a file.
  await testbed.sendDatagrams({ count: 1_000, rate: 8_000, bytes: 1_000 });
  await until(() => started === 2, { what: 'the second file' });
  for (const files of numbers) tcpdump.keep(files);
  // It answers after it has handled everything before.
  await tcpdump.count();
  await testbed.sendDatagrams({ count: 14_000, rate: 10_000, bytes: 1_000 });
  await tcpdump.stop('flush');
  if (started < 14) throw new Error(`${started} files`);
  return (await readdir(folder.path)).length;
}
