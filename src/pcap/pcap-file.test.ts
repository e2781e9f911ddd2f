import { appendFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { temporaryFolder } from '../testbed/temporary-folder.ts';
import { countRecords, openPcap } from './pcap-file.ts';

const header = Buffer.from('d4c3b2a1020004000000000000000000ffff000001000000', 'hex');

test.each([
  ['an empty file', Buffer.alloc(0), 0],
  ['half a header', header.subarray(0, 10), 0],
  ['a file that ends after its header', header, 24],
])('%s has no records', async (_, bytes, wholeBytes) => {
  await using file = await fileOf(bytes);
  expect(await countRecords(file.path)).toEqual({ kind: 'end', records: 0, wholeBytes });
});

test('a file of another format is refused with its path', async () => {
  await using file = await fileOf(Buffer.from('0a0d0d0a1c000000', 'hex'));
  expect(await countRecords(file.path)).toEqual({
    kind: 'not-pcap',
    message: `${file.path} is a pcapng file, not a pcap file`,
  });
});

test('a file much larger than the read buffer is read to its last whole record', async () => {
  // Odd lengths, so that a record lies across every boundary between two reads.
  const lengths = Array.from({ length: 3000 }, (_, i) => 1 + ((i * 7919) % 1500));
  lengths.splice(1500, 0, 262_144, 262_144, 262_144, 1);
  const records = lengths.map((length, i) => record(length, i));
  const whole = Buffer.concat([header, ...records]);
  await using file = await fileOf(Buffer.concat([whole, record(100, 0).subarray(0, 99)]));

  const end = { kind: 'cut', records: lengths.length, wholeBytes: whole.length };
  expect(await countRecords(file.path)).toEqual(end);

  const opened = await openPcap(file.path);
  if (opened.kind !== 'pcap') throw new Error(opened.kind);
  await using pcap = opened;
  const read: Uint8Array[] = [];
  const reading = pcap.records();
  let step = await reading.next();
  for (; !step.done; step = await reading.next()) read.push(step.value.data);
  expect(step.value).toEqual(end);
  const ends = read.map((data) => [data.length, data[0], data.at(-1)]);
  expect(ends).toEqual(lengths.map((length, i) => [length, i % 256, i % 256]));
});

test('a file is read as it was when it was opened, though it grows and is deleted', async () => {
  await using file = await fileOf(Buffer.concat([header, record(10, 0)]));
  const opened = await openPcap(file.path);
  if (opened.kind !== 'pcap') throw new Error(opened.kind);
  await using pcap = opened;
  await appendFile(file.path, record(10, 1));
  await rm(file.path);
  for (let times = 0; times < 2; times += 1) {
    const records = [];
    for await (const { data } of pcap.records()) records.push(data[0]);
    expect(records).toEqual([0]);
  }
});

test('bytes that cannot be a record end the reading, with their offset', async () => {
  await using file = await fileOf(Buffer.concat([header, record(10, 0), Buffer.alloc(500)]));
  expect(await countRecords(file.path)).toEqual({
    kind: 'corrupt',
    records: 1,
    wholeBytes: 50,
    message: `${file.path} has no packet record at byte 50`,
  });
});

async function fileOf(bytes: Uint8Array): Promise<AsyncDisposable & { readonly path: string }> {
  const folder = await temporaryFolder();
  const path = join(folder.path, 'web.pcap0');
  await writeFile(path, bytes);
  return { path, [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose]() };
}

function record(length: number, fill: number): Buffer {
  const fields = Buffer.alloc(16);
  fields.writeUInt32LE(length, 8);
  fields.writeUInt32LE(length, 12);
  return Buffer.concat([fields, Buffer.alloc(length, fill % 256)]);
}
