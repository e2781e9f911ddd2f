import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { temporaryFolder } from '../../testbed/temporary-folder.ts';
import { concat, ethernet } from '../testing/build-packets.ts';
import { captureFile, microseconds } from '../testing/capture-files.ts';
import { packetOf } from '../testing/decode-packets.ts';
import { sampleFrames } from '../testing/sample-frames.ts';
import { type Row, rowOf, tsharkRows } from '../testing/tshark-rows.ts';
import { createDecoder } from './decoder.ts';

test.each([
  ['Ethernet', 1, (frame: Uint8Array) => frame],
  [
    'Linux cooked v1',
    113,
    (frame: Uint8Array) => concat([0, 0, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0], frame.subarray(12)),
  ],
  [
    'Linux cooked v2',
    276,
    (frame: Uint8Array) =>
      concat(
        frame.subarray(12, 14),
        [0, 0, 0, 0, 0, 3, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0],
        frame.subarray(14),
      ),
  ],
  [
    'Ethernet with a VLAN tag',
    1,
    (frame: Uint8Array) => ethernet(0x8100, concat([0, 5], frame.subarray(12))),
  ],
])('tshark says the same of each sample: %s', async (_name, linkType, wrap) => {
  const capture = { packets: sampleFrames.map(wrap), linkType, snaplen: 262_144 };
  expect(decode(capture)).toEqual(await dissect(capture));
});

test.each([
  ['raw IP', 101, []],
  ['loopback', 0, [2, 0, 0, 0]],
  ['loopback of OpenBSD', 108, [0, 0, 0, 2]],
])('tshark says the same of each IPv4 sample: %s', async (_name, linkType, header) => {
  const packets = sampleFrames
    .filter((frame) => frame[12] === 8 && frame[13] === 0)
    .map((frame) => concat(header, frame.subarray(14)));
  const capture = { packets, linkType, snaplen: 262_144 };
  expect(decode(capture)).toEqual(await dissect(capture));
});

test.each([96, 120])('tshark says the same of the samples cut at %i bytes', async (snaplen) => {
  const capture = { packets: sampleFrames, linkType: 1, snaplen };
  expect(decode(capture)).toEqual(await dissect(capture));
});

/** The packets of one capture, and how they were captured. */
type Capture = {
  readonly packets: readonly Uint8Array[];
  readonly linkType: number;
  readonly snaplen: number;
};

function decode({ packets, linkType, snaplen }: Capture): readonly Row[] {
  const decoder = createDecoder();
  return packets.map((data) => {
    const packet = packetOf(data.subarray(0, snaplen), { originalBytes: data.length });
    return rowOf(decoder.decode(packet, linkType));
  });
}

async function dissect({ packets, linkType, snaplen }: Capture): Promise<readonly Row[]> {
  await using folder = await temporaryFolder();
  const path = join(folder.path, 'samples.pcap');
  // A second apart: within 3 ms, tshark calls a retransmission "out of order".
  const timed = packets.map((data, i) => ({ timeUs: i * 1_000_000, data }));
  await writeFile(path, captureFile(timed, { ...microseconds, linkType, snaplen }));
  return await tsharkRows(path);
}
