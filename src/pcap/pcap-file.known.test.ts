import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { temporaryFolder } from '../testbed/temporary-folder.ts';
import { countRecords, openPcap } from './pcap-file.ts';
import { captureFile, type TestPacket } from './testing/capture-files.ts';

const first = packetAt(1_700_000_000_000_000, 60);
const last = packetAt(1_700_000_000_002_000, 60);

// tcpdump -r reads all three records of each.
describe.each([
  ['no bytes of a packet', { ...packetAt(1_700_000_000_001_000, 0), originalBytes: 0 }],
  ['more bytes of a packet than that', { ...packetAt(1_700_000_000_001_000, 60), originalBytes: 0 }],
  ['nothing but zeros, and another record after it', { ...packetAt(0, 0), originalBytes: 0 }],
])('a record with the original length 0 and %s', (_what, empty) => {
  let without: Awaited<ReturnType<typeof read>>;
  let within: Awaited<ReturnType<typeof read>>;

  beforeAll(async () => {
    without = await read([first, last]);
    within = await read([first, empty, last]);
  });

  test('is absent from a file that is complete without it', () => {
    const timesUs = [first.timeUs, last.timeUs];
    expect(without).toEqual({ counted: { kind: 'end', records: 2 }, timesUs });
  });

  test.fails('is counted, and so is what follows it', () => {
    expect(within.counted).toEqual({ kind: 'end', records: 3 });
  });

  test.fails('is read, and so is what follows it', () => {
    expect(within.timesUs).toEqual([first.timeUs, empty.timeUs, last.timeUs]);
  });
});

function packetAt(timeUs: number, bytes: number): TestPacket {
  return { timeUs, data: new Uint8Array(bytes).fill(1) };
}

/** The count of records in a file of these packets, and the times of those that are read. */
async function read(packets: readonly TestPacket[]) {
  await using folder = await temporaryFolder();
  const path = join(folder.path, 'web.pcap0');
  await writeFile(path, captureFile(packets));
  const counted = await countRecords(path);
  if (counted.kind === 'not-pcap') throw new Error(counted.message);
  const opened = await openPcap(path);
  if (opened.kind !== 'pcap') throw new Error(opened.kind);
  await using pcap = opened;
  const timesUs: number[] = [];
  for await (const { timestampNs } of pcap.records()) timesUs.push(Number(timestampNs / 1_000n));
  return { counted: { kind: counted.kind, records: counted.records }, timesUs };
}
