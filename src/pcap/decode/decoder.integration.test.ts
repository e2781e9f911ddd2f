import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { temporaryFolder } from '../../testbed/temporary-folder.ts';
import { concat, ethernet } from '../testing/build-packets.ts';
import { captureFile, microseconds } from '../testing/capture-files.ts';
import { debianCaptures } from '../testing/debian-captures.ts';
import { packetOf } from '../testing/decode-packets.ts';
import { decodedRows, type Row, rowOf, tsharkRows } from '../testing/decoded-rows.ts';
import { sampleFrames } from '../testing/sample-frames.ts';
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

test('tshark says the same of the packets that Debian ships, but for the differences in docs/capture-files.md', async () => {
  const { packaged } = await debianCaptures();
  let compared = 0;
  let different = 0;
  for (const path of packaged) {
    const theirs = await tsharkRows(path).catch(isDamaged);
    if (!theirs) continue;
    const ours = await decodedRows(path);
    expect([path, ours.length]).toEqual([path, theirs.length]);
    const rows = ours.map((row, at) => [at, shown(row), shown(theirs[at])] as const);
    const differences = rows.filter(([, a, b]) => a !== b);
    expect([path, differences.filter(([, a, b]) => !isKnownDifference(a, b))]).toEqual([path, []]);
    compared += ours.length;
    different += differences.length;
  }
  expect(compared).toBeGreaterThan(80_000);
  // A decoder that knows less would have more of these differences.
  expect(different).toBeLessThan(compared / 100);
}, 300_000);

/** tshark fails when it has shown what is before the damage, or before a section of an unknown version. */
function isDamaged(error: unknown): undefined {
  expect(String(error)).toMatch(/damaged|corrupt|cut short|doesn't support|isn't a capture file/);
}

/** Protocols, addresses and ports. */
function shown(row: Row | undefined): string {
  return row?.slice(0, 5).join(' ') ?? '';
}

function isKnownDifference(ours: string, theirs: string): boolean {
  const isContinued = ours === theirs.replace(/^tcp,(?:http|tls)(?:,tls)? /, 'tcp ');
  // The capture has the keys.
  const isDecrypted = ours === theirs.replace(/^tcp,tls,http /, 'tcp,tls ');
  // Cisco's ISL tags by an address; everything else, PPPoE among it, by a protocol.
  const isInTunnel =
    ours.startsWith(' ') && (!theirs.startsWith(' ') || ours.includes(' 01:00:0c:00:00:00 '));
  return isContinued || isDecrypted || isInTunnel;
}

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
