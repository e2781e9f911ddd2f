import { describe, expect, test } from 'vitest';
import {
  captureBytes,
  type PcapHeaderFields,
  type RecordFields,
  someData,
} from '../testing/capture-bytes.ts';
import { problemOf, readBytes } from '../testing/read-capture.ts';

const { header, record } = captureBytes('little');
const data = someData.toString('latin1');
const start = 1_700_000_000;

describe.each(['little', 'big'] as const)('a %s-endian pcap file', (byteOrder) => {
  const bytes = captureBytes(byteOrder);

  test.each([
    ['microseconds', 0xa1b2c3d4, 6, 1_700_000_000_000_005n, 5000],
    ['nanoseconds', 0xa1b23c4d, 9, 1_700_000_000_000_000_005n, 5],
  ])('has times in %s', async (_unit, magic, exponent, time, nanoseconds) => {
    const read = await readBytes(Buffer.concat([bytes.header({ magic, network: 276 }), bytes.record()]));
    expect(read.packets).toEqual([
      { interfaceIndex: 0, time, seconds: start, nanoseconds, original: 20, data, options: undefined },
    ]);
    expect(read.interfaces).toMatchObject([{ linkType: 276, resolution: { base: 10, exponent } }]);
    expect(read.damage).toEqual([]);
  });
});

// As capinfos counts and tshark shows each of them.
test.each<[what: string, fields: RecordFields, expected: object]>([
  ['the original length 0', { original: 0 }, { original: 0, data }],
  ['more captured than original bytes', { original: 7 }, { original: 7, data }],
  ['the largest original length', { original: 0xffff_ffff }, { original: 0xffff_ffff, data }],
  ['no captured byte', { data: Buffer.alloc(0), original: 9 }, { original: 9, data: '' }],
  ['a time after 2038', { seconds: 0xffff_ffff }, { seconds: 0xffff_ffff, time: 4_294_967_295_000_005n }],
  ['a fraction of 1 s', { fraction: 1_000_000 }, { seconds: start + 1, nanoseconds: 0 }],
  [
    'the largest fraction',
    { fraction: 0xffff_ffff },
    { seconds: start + 4294, nanoseconds: 967_295_000, time: 1_700_004_294_967_295n },
  ],
])('a record with %s is a packet', async (_what, fields, expected) => {
  const read = await readBytes(Buffer.concat([header({ snaplen: 10 }), record(fields), record()]));
  expect(read.packets[0]).toMatchObject(expected);
  expect(read.packets[1]).toMatchObject({ seconds: start, nanoseconds: 5000, original: 20, data });
  expect(read.packets).toHaveLength(2);
});

test('the latest time with the largest fraction in nanoseconds is exact', async () => {
  const latest = record({ seconds: 0xffff_ffff, fraction: 0xffff_ffff });
  const { packets } = await readBytes(Buffer.concat([header({ magic: 0xa1b23c4d }), latest]));
  expect(packets).toMatchObject([
    { time: 4_294_967_299_294_967_295n, seconds: 4_294_967_299, nanoseconds: 294_967_295 },
  ]);
});

test.each<[what: string, fields: PcapHeaderFields, expected: object]>([
  ['a frame check sequence of 4 bytes', { network: 0x2400_0001 }, { linkType: 1, frameCheckBytes: 4 }],
  ['a length of it, but not the bit', { network: 0x2000_0001 }, { frameCheckBytes: undefined }],
  ['the largest link type', { network: 0xffff }, { linkType: 0xffff }],
  ['the snaplen 0', { snaplen: 0 }, { snaplen: 0 }],
  ['the version 2.5', { version: [2, 5] }, {}],
  ['the version 3.0', { version: [3, 0] }, {}],
])('a header with %s is read', async (_what, fields, expected) => {
  const read = await readBytes(Buffer.concat([header(fields), record()]));
  expect(read.interfaces).toMatchObject([expected]);
  expect(read.packets).toHaveLength(1);
});

// The order of the two lengths, as wiretap and libpcap know it.
test.each<[version: [number, number], captured: number, original: number]>([
  [[2, 2], 1500, 20],
  [[543, 0], 1500, 20],
  [[2, 3], 1500, 20],
  [[2, 3], 20, 1500],
  [[2, 4], 20, 1500],
])(
  'in version %j, a record with the lengths %i and %i has 20 of 1500 bytes',
  async (version, captured, original) => {
    const read = await readBytes(
      Buffer.concat([header({ version }), record({ captured, original }), record()]),
    );
    expect(read.packets).toMatchObject([{ original: 1500, data }, { data }]);
  },
);

test.each<[what: string, fields: PcapHeaderFields, message: string]>([
  ['the version 1.4', { version: [1, 4] }, 'has the pcap version 1.4; only 2.0 and later can be read'],
  [
    'reserved bits of the link type',
    { network: 0x0001_0001 },
    'has the link type 0x10001, with bits that are reserved',
  ],
])('a header with %s is refused', async (_what, fields, message) => {
  expect(await problemOf(header(fields))).toBe(`capture ${message}`);
});

test('a packet of the largest size is read, and a larger one is damage', async () => {
  const largest = record({ data: Buffer.alloc(262_144, 'x') });
  const larger = record({ data: Buffer.alloc(262_145, 'y') });
  const read = await readBytes(Buffer.concat([header(), largest, record(), larger, record()]), {
    chunkBytes: 1000,
    bufferBytes: 0,
  });
  expect(read.packets.map((packet) => packet.data.length)).toEqual([262_144, 20]);
  expect(read.damage).toEqual([
    {
      kind: 'corrupt',
      offset: 24 + 262_160 + 36,
      resumedAt: undefined,
      message: 'capture, byte 262220: a packet of 262145 bytes; no packet has more than 262144',
    },
  ]);
});

// capinfos reads it: wiretap has larger limits for these link types.
test.each([220, 231])(
  'a packet of link type %i can be longer, is passed over, and what follows it is read',
  async (network) => {
    const long = record({ data: Buffer.alloc(600_000) });
    const bytes = Buffer.concat([header({ network }), record(), long, record()]);
    for (const options of [{}, { bufferBytes: 0, chunkBytes: 1000 }]) {
      const read = await readBytes(bytes, options);
      expect(read.packets).toHaveLength(2);
      const message =
        'capture, byte 60: a packet of 600000 bytes is longer than 262144 and is passed over; read on from byte 600076';
      expect(read.damage).toEqual([{ kind: 'corrupt', offset: 60, resumedAt: 600_076, message }]);
    }
    const cut = await readBytes(bytes.subarray(0, 400_000), { chunkBytes: 1000 });
    expect(cut.packets).toHaveLength(1);
    expect(cut.damage).toMatchObject([{ kind: 'cut', offset: 60, resumedAt: undefined }]);
  },
);

test('a length that not even such a link type has is damage', async () => {
  const bytes = Buffer.concat([header({ network: 231 }), record({ captured: 2 ** 27 + 1 }), record()]);
  expect((await readBytes(bytes)).damage).toMatchObject([{ kind: 'corrupt', resumedAt: undefined }]);
});

const zeros = Buffer.alloc(16);
const block = 4096;

// A record of zeros is one for capinfos; but a crash of a Node leaves zeros from the start of a file system block on.
test.each<[what: string, bytes: readonly Buffer[], packets: number, damage: readonly string[]]>([
  ['before another record', [...Array(500).fill(zeros), record()], 502, []],
  ['at the end of a small file', Array(14).fill(zeros), 15, []],
  ['at the end, with a part of a record', [zeros, zeros.subarray(4)], 2, ['cut']],
  ['up to the end of a block', Array(252).fill(zeros), 253, []],
  ['into the next block', [Buffer.alloc(block - 60), Buffer.alloc(4)], 1, ['corrupt']],
  [
    'of less than a record, into the next block',
    [record({ data: Buffer.alloc(4010) }), Buffer.alloc(15)],
    2,
    ['corrupt'],
  ],
  ['after a packet that was lost too', [record({ data: Buffer.alloc(block) }), zeros], 2, ['corrupt']],
  ['of more bytes than the buffer has, before another record', [Buffer.alloc(327_680), record()], 20_482, []],
  ['of more bytes than the buffer has, at the end', [Buffer.alloc(327_680)], 1, ['corrupt']],
])('zeros %s', async (_what, bytes, packets, damage) => {
  for (const options of [{ chunkBytes: 1_000_000 }, { chunkBytes: 13 }, { bufferBytes: 0 }]) {
    const read = await readBytes(Buffer.concat([header(), record(), ...bytes]), options);
    expect(read.packets).toHaveLength(packets);
    expect(read.damage.map(({ kind }) => kind)).toEqual(damage);
  }
});
