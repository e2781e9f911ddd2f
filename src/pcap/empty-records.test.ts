import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { temporaryFolder } from '../testbed/temporary-folder.ts';
import { countRecords, openPcap, runBufferBytes } from './pcap-file.ts';
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
    expect(without).toEqual({ counted: { kind: 'end', records: 2 }, timesUs, firstUs: first.timeUs });
  });

  test('is counted, and so is what follows it', () => {
    expect(within.counted).toEqual({ kind: 'end', records: 3 });
  });

  test('is read, and so is what follows it', () => {
    expect(within.timesUs).toEqual([first.timeUs, empty.timeUs, last.timeUs]);
  });
});

const zeros = { ...packetAt(0, 0), originalBytes: 0 };

test('records with lengths of any relation to each other are all read, up to the last that is not zero', async () => {
  const packet = fc.record({
    timeUs: fc.constantFrom(0, 1, first.timeUs),
    data: fc.uint8Array({ maxLength: 40, max: 1 }),
    originalBytes: fc.constantFrom(0, 1, 39, 1_500),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(packet, { maxLength: 12 }), async (packets) => {
      const { counted, timesUs, firstUs } = await read([...packets, last]);
      expect(counted).toEqual({ kind: 'end', records: packets.length + 1 });
      expect(timesUs).toEqual([...packets, last].map(({ timeUs }) => timeUs));
      expect(firstUs).toBe(timesUs[0]);
    }),
  );
});

// A crash leaves zeros up to the end; a run of more zeros than the largest packet has bytes is no writer's either.
test.each([
  ['one record of zeros at the end', [zeros], { kind: 'corrupt', records: 1 }],
  ['zeros at the end', repeated(zeros, 500), { kind: 'corrupt', records: 1 }],
  ['zeros before another record', [...repeated(zeros, 500), last], { kind: 'end', records: 502 }],
  [
    'more zeros than are read at once',
    [...repeated(zeros, runBufferBytes / 16 + 1), last],
    { kind: 'corrupt', records: 1 },
  ],
])('after a record, %s', async (_what, packets: TestPacket[], counted) => {
  expect((await read([first, ...packets])).counted).toEqual(counted);
});

test.each([0, 1, 2, 3])(
  'zeros before another record are read where the end of the read buffer is %i records after their start',
  async (distance) => {
    const filling = repeated(packetAt(first.timeUs, runBufferBytes / 2 - 16 - distance * 8), 2);
    const packets = [...filling, zeros, zeros, zeros, last];
    const { counted, timesUs } = await read(packets);
    expect(counted).toEqual({ kind: 'end', records: packets.length });
    expect(timesUs).toEqual(packets.map(({ timeUs }) => timeUs));
  },
);

test('a file that starts with zeros has a first time only if a record follows them', async () => {
  expect((await read([zeros, last])).firstUs).toBe(0);
  expect((await read([zeros, zeros])).firstUs).toBeUndefined();
});

function repeated(packet: TestPacket, count: number): TestPacket[] {
  return Array.from({ length: count }, () => packet);
}

function packetAt(timeUs: number, bytes: number): TestPacket {
  return { timeUs, data: new Uint8Array(bytes).fill(1) };
}

/** The count of records in a file of these packets, the times of those that are read, and the first one's. */
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
  const firstUs = await pcap.firstUs();
  return { counted: { kind: counted.kind, records: counted.records }, timesUs, firstUs };
}
