import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import { until } from '../src/base/until.ts';
import { capturedNumbers } from '../src/pcap/testing/captured-numbers.ts';
import { run } from '../src/testbed/run-program.ts';
import { temporaryFolder } from '../src/testbed/temporary-folder.ts';
import { test } from './support/cluster-test.ts';
import { expectConsecutive } from './support/consecutive.ts';
import { tcpdumpsOf } from './support/pod-processes.ts';
import { readBack } from './support/read-back.ts';
import { generationsIn, numbersIn, ringFiles, waitForFiles } from './support/ring-contents.ts';
import { deleteSendingPod, sendingPod } from './support/sending-pod.ts';

/** 2.9 MB/s: a file of 1 MB is full after 0.35 s, with about 690 datagrams. */
const fast = { node: 'node1', rate: 2_000, bytes: 1_400, files: 5 };

test('keeps the last N files without a gap while N changes from 5 to 3 to 100 to 5, with the same tcpdump', async ({
  cluster,
}) => {
  const web = await sendingPod(cluster, { name: 'web', ...fast });
  const { folder } = web;
  const names = async () => (await ringFiles(folder)).map(({ name }) => name);
  const withFiles = async (count: number) => {
    await waitForFiles(folder, count);
    const numbers = await numbersIn(folder);
    expectConsecutive(numbers);
    // All are full but the newest.
    expect(numbers.length).toBeGreaterThan((count - 1) * 600);
    return numbers;
  };
  const afterRotation = async (count: number) => {
    const oldest = (await names())[0] ?? '';
    await until(async () => !(await names()).includes(oldest), { what: 'the oldest file to be deleted' });
    return await withFiles(count);
  };

  const five = await withFiles(5);
  await afterRotation(5);
  const before = await tcpdumpsOf(web);
  expect(before).toHaveLength(1);

  await cluster.annotate('web', '3');
  const three = await afterRotation(3);
  await cluster.annotate('web', '100');
  // With five files it has taken effect: three files and one more were allowed before.
  await waitForFiles(folder, 5);
  const [oldest] = await names();
  const hundred = await withFiles(9);
  expect((await names())[0]).toBe(oldest);
  await cluster.annotate('web', '5');
  const fiveAgain = await afterRotation(5);

  expect(await tcpdumpsOf(web)).toEqual(before);
  expect(await generationsIn(folder)).toEqual([1]);
  // Each reading reaches further than the one before; at 100 no file that was kept is deleted.
  const lasts = [five, three, hundred, fiveAgain].map((numbers) => numbers.at(-1) ?? Number.NaN);
  expect(lasts).toEqual(lasts.toSorted((a, b) => a - b));
  expect(hundred[0]).toBeLessThanOrEqual((three.at(-1) ?? 0) + 1);
  await deleteSendingPod(cluster, web);
});

test('podcap read writes a valid file without a gap while the ring rotates, also for tcpdump, tshark and capinfos', async ({
  cluster,
}) => {
  await using output = await temporaryFolder();
  const busy = await sendingPod(cluster, { name: 'busy', ...fast });
  await waitForFiles(busy.folder, 5);
  for (const name of ['first.pcap', 'second.pcap', 'third.pcap']) {
    const path = join(output.path, name);
    const oldest = (await numbersIn(busy.folder))[0] ?? Number.NaN;
    await writeFile(path, await readBack(busy));
    const newest = (await numbersIn(busy.folder)).at(-1) ?? Number.NaN;

    const numbers = await capturedNumbers(path);
    const { first, last } = expectConsecutive(numbers);
    expect(numbers.length).toBeGreaterThan(4 * 600);
    expect(first).toBeGreaterThanOrEqual(oldest);
    expect(last).toBeLessThanOrEqual(newest);

    const records = await packetsReadBy(path);
    expect(records.tcpdump).toBeGreaterThanOrEqual(numbers.length);
    expect(records).toEqual({ tcpdump: records.tcpdump, tshark: records.tcpdump, capinfos: records.tcpdump });
  }
  const path = join(output.path, 'pcapng.pcapng');
  await writeFile(path, await readBack(busy, 'pcapng'));
  const { tcpdump, tshark, capinfos } = await packetsReadBy(path);
  expect(tcpdump).toBeGreaterThan(4 * 600);
  expect([tshark, capinfos]).toEqual([tcpdump, tcpdump]);
  const names = await run([
    'tshark',
    '-n',
    '-c',
    '1',
    '-r',
    path,
    '-T',
    'fields',
    '-e',
    'frame.interface_name',
  ]);
  expect(names.trim()).toBe(`${cluster.namespace}/busy/eth0`);
  await deleteSendingPod(cluster, busy);
});

/** How many packets each of these programs reads; all of them fail at a truncated or corrupt file. */
async function packetsReadBy(path: string) {
  const lines = async (program: string, ...args: readonly string[]) =>
    (await run([program, ...args])).split('\n').filter((line) => line !== '');
  const [tcpdump, tshark, capinfos] = await Promise.all([
    lines('tcpdump', '-n', '-t', '-q', '-r', path),
    lines('tshark', '-n', '-r', path, '-T', 'fields', '-e', 'frame.number'),
    lines('capinfos', '-T', '-r', '-c', '-M', path),
  ]);
  return {
    tcpdump: tcpdump.length,
    tshark: tshark.length,
    capinfos: Number(capinfos[0]?.split('\t').at(1)),
  };
}
