import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { capturedNumbers } from '../src/testbed/captured-numbers.ts';
import { temporaryFolder } from '../src/testbed/temporary-folder.ts';
import { until } from '../src/testbed/until.ts';
import { receiver, sender } from './support/pod-manifests.ts';
import { readBack } from './support/read-back.ts';
import {
  numbersIn,
  type RunningPod,
  ringFiles,
  run,
  type TestCluster,
  tcpdumpsOf,
  testCluster,
  untilFolder,
} from './support/test-cluster.ts';

let cluster: TestCluster;
let target: RunningPod;

beforeAll(async () => {
  cluster = await testCluster();
  await cluster.create(receiver({ name: 'receiver', node: 'node2' }));
  target = await cluster.running('receiver');
});
afterAll(() => cluster[Symbol.asyncDispose]());

test('N is changed from 5 to 3 to 100 to 5: the same tcpdump goes on, and each time so many files hold an unbroken run', async () => {
  // 2.9 MB/s: a file of 1 MB is full after 0.35 s.
  await cluster.create(
    sender({ name: 'web', node: 'node1', to: target.ip, rate: 2_000, bytes: 1_400, annotation: '5' }),
  );
  const web = await cluster.running('web');
  const folder = await untilFolder(web);
  const names = async () => (await ringFiles(folder)).map(({ name }) => name);
  const standing = async (count: number) => {
    await until(async () => (await names()).length === count, { what: `${count} files`, deadlineMs: 30_000 });
    const numbers = await numbersIn(folder);
    expect(numbers).toEqual(run(numbers[0] ?? Number.NaN, numbers.length));
    // All are full but the newest, at about 690 datagrams each.
    expect(numbers.length).toBeGreaterThan((count - 1) * 600);
    return numbers;
  };
  const whenFull = async (count: number) => {
    const oldest = (await names())[0] ?? '';
    await until(async () => !(await names()).includes(oldest), { what: 'the oldest file to go' });
    return await standing(count);
  };

  const five = await standing(5);
  await whenFull(5);
  const before = await tcpdumpsOf(web);
  expect(before).toHaveLength(1);

  await cluster.annotate('web', '3');
  const three = await whenFull(3);
  await cluster.annotate('web', '100');
  const [oldest] = await names();
  const hundred = await standing(9);
  expect((await names())[0]).toBe(oldest);
  await cluster.annotate('web', '5');
  const fiveAgain = await whenFull(5);

  expect(await tcpdumpsOf(web)).toEqual(before);
  expect(new Set((await ringFiles(folder)).map(({ generation }) => generation))).toEqual(new Set([1]));
  // Each look goes further than the one before; at 100 nothing that stood was deleted.
  const lasts = [five, three, hundred, fiveAgain].map((numbers) => numbers.at(-1) ?? Number.NaN);
  expect(lasts).toEqual(lasts.toSorted((a, b) => a - b));
  expect(hundred[0]).toBeLessThanOrEqual((three.at(-1) ?? 0) + 1);
  await cluster.delete('web', '--grace-period=1');
});

test('what podcap read writes while the ring rotates is a valid file with an unbroken run, for tcpdump, tshark and capinfos too', async () => {
  await using output = await temporaryFolder();
  await cluster.create(
    sender({ name: 'busy', node: 'node1', to: target.ip, rate: 2_000, bytes: 1_400, annotation: '5' }),
  );
  const busy = await cluster.running('busy');
  const folder = await untilFolder(busy);
  await until(async () => (await ringFiles(folder)).length === 5, { what: '5 files', deadlineMs: 30_000 });
  for (const name of ['first.pcap', 'second.pcap', 'third.pcap']) {
    const path = join(output.path, name);
    const oldest = (await numbersIn(folder))[0] ?? Number.NaN;
    await writeFile(path, await readBack(busy));
    const newest = (await numbersIn(folder)).at(-1) ?? Number.NaN;

    const numbers = await capturedNumbers(path);
    expect(numbers).toEqual(run(numbers[0] ?? Number.NaN, numbers.length));
    expect(numbers.length).toBeGreaterThan(4 * 600);
    expect(numbers[0]).toBeGreaterThanOrEqual(oldest);
    expect(numbers.at(-1)).toBeLessThanOrEqual(newest);

    const records = await packetsAsReadBy(path);
    expect(records.tcpdump).toBeGreaterThanOrEqual(numbers.length);
    expect(records).toEqual({ tcpdump: records.tcpdump, tshark: records.tcpdump, capinfos: records.tcpdump });
  }
});

/** How many packets each of them reads; all of them fail for a file that is cut or corrupt. */
async function packetsAsReadBy(path: string) {
  const lines = async (program: string, ...args: readonly string[]) => {
    const { stdout } = await promisify(execFile)(program, args, { maxBuffer: 256 * 1024 * 1024 });
    return stdout.split('\n').filter((line) => line !== '');
  };
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
