import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { capturedNumbers } from '../../lab/captured.ts';
import { compileNative } from '../../lab/compile.ts';
import { type LabDisk, memoryDisk } from '../../lab/disk.ts';
import { type NetworkLab, networkLab } from '../../lab/network.ts';
import { until } from '../../lab/until.ts';
import { countRecords } from '../../pcap/file.ts';
import { startTcpdump, type Tcpdump } from '../record/tcpdump.ts';

// What tcpdump writes with the library: write.c.

test('a packet is in the file as soon as nothing more is to be read', async () => {
  await using scene = await writingScene();
  for (const number of [0, 1, 2]) {
    await scene.lab.sendDatagrams({ count: 1, firstNumber: number });
    await until(async () => (await scene.numbers()).length === number + 1, { what: `datagram ${number}` });
  }
  expect(await scene.numbers()).toEqual([0, 1, 2]);
});

test('on a full disk the file ends with a whole packet, and each one that is in no file is counted', async () => {
  await using scene = await writingScene();
  // 98 records of 1,058 bytes: the file's last page has room for two more and a half.
  await scene.lab.sendDatagrams({ count: 98, bytes: 1_000 });
  await until(async () => (await scene.numbers()).length === 98, { what: '98 datagrams' });
  await scene.disk.fill();
  await scene.lab.sendDatagrams({ count: 5_000, rate: 50_000, bytes: 1_000, firstNumber: 98 });
  const ending = await scene.tcpdump.ended;
  expect(ending).toMatchObject({ cause: 'failed', writeError: 'ENOSPC', statistics: { dropped: 0 } });
  const numbers = await scene.numbers();
  expect(numbers).toEqual(Array.from({ length: 100 }, (_, number) => number));
  const { size } = await stat(scene.file);
  expect(await countRecords(scene.file)).toMatchObject({ records: 100, wholeBytes: size });
  const { captured = 0, received } = ending.statistics ?? {};
  expect(received).toBe(captured);
  expect(numbers.length + ending.unwritten).toBe(captured);
});

test('a disk that is full at the start: tcpdump ends, and leaves no empty file', async () => {
  await using lab = await networkLab();
  await using disk = await memoryDisk(1);
  await disk.fill();
  const tcpdump = await start(lab, disk);
  expect(await tcpdump.started).toMatchObject({ cause: 'failed', writeError: 'ENOSPC' });
  expect(await readdir(disk.path)).toEqual(['filler']);
});

async function writingScene() {
  await using made = new AsyncDisposableStack();
  const lab = made.use(await networkLab());
  const disk = made.use(await memoryDisk(2));
  const tcpdump = await start(lab, disk);
  made.defer(async () => {
    await tcpdump.stop('discard');
  });
  await tcpdump.started;
  const file = join(disk.path, 'captres-web.1.pcap000');
  const living = made.move();
  return {
    lab,
    disk,
    tcpdump,
    file,
    numbers: () => capturedNumbers(file),
    [Symbol.asyncDispose]: () => living.disposeAsync(),
  };
}

async function start(lab: NetworkLab, disk: LabDisk): Promise<Tcpdump> {
  return startTcpdump({
    netns: lab.netns,
    interface: 'eth0',
    file: join(disk.path, 'captres-web.1.pcap'),
    fileMegabytes: 1,
    wrapAfter: 200,
    files: 100,
    bufferKib: 4_096,
    userId: 10_001,
    nativeFolder: await compileNative(),
    snaplen: undefined,
    filter: undefined,
    onFiles() {},
  });
}
