import { describe, expect, test } from 'vitest';
import { captureBytes, endOfOptions, someData } from '../testing/capture-bytes.ts';
import { readBytes } from '../testing/read-capture.ts';

const little = captureBytes('little');
const { section, interfaceBlock, packet, block, option, u16, u32 } = little;
const start = Buffer.concat([section(), interfaceBlock()]);
const data = someData.toString('latin1');

describe.each(['little', 'big'] as const)('a %s-endian section', (byteOrder) => {
  const bytes = captureBytes(byteOrder);
  const all = (...blocks: readonly Buffer[]) => readBytes(Buffer.concat([bytes.section(), ...blocks]));

  test('has interfaces with all their options', async () => {
    const options = [
      bytes.option(1, 'a comment'),
      bytes.option(2, 'eth0\0\0'),
      bytes.option(3, 'Näme'),
      bytes.option(9, Buffer.from([9])),
      bytes.option(11, '\0tcp port 80'),
      bytes.option(13, Buffer.from([4])),
      bytes.option(14, bytes.i64(-3600n)),
      bytes.option(12, 'Linux'),
      endOfOptions,
      Buffer.from('what follows the end of the options!'),
    ];
    const read = await all(
      bytes.interfaceBlock({ linkType: 276, snaplen: 96, options: Buffer.concat(options) }),
    );
    expect(read.interfaces).toEqual([
      {
        linkType: 276,
        snaplen: 96,
        resolution: { base: 10, exponent: 9 },
        offsetSeconds: -3600n,
        name: 'eth0',
        description: 'Näme',
        filter: 'tcp port 80',
        comment: 'a comment',
        frameCheckBytes: 4,
      },
    ]);
    expect(read.damage).toEqual([]);
  });

  test('has enhanced packets with their times, lengths and options', async () => {
    const options = Buffer.concat([
      bytes.option(1, 'first'),
      bytes.option(2, bytes.u32(0x8000_0001)),
      bytes.option(4, bytes.i64(7n)),
      bytes.option(1, 'second'),
      bytes.option(5, bytes.i64(1n)),
      endOfOptions,
    ]);
    const one = bytes.packet({ original: 1500, data: someData.subarray(0, 17), options });
    const { packets, damage } = await all(bytes.interfaceBlock(), one, bytes.packet());
    expect(packets[0]).toEqual({
      interfaceIndex: 0,
      time: 395_812n * 2n ** 32n + 100n,
      seconds: 1_699_999_595,
      nanoseconds: 364_452_000,
      original: 1500,
      data: data.slice(0, 17),
      options: { comments: ['first', 'second'], flags: 0x8000_0001, dropped: 7 },
    });
    expect(packets[1]).toMatchObject({ data, options: undefined });
    expect(damage).toEqual([]);
  });

  test('has packets of the older kind, and simple ones, which have no time and the snaplen of the first interface', async () => {
    const older = bytes.block(
      2,
      Buffer.concat([bytes.u16(1), bytes.u16(3), ...[395_812, 100, 20, 30].map(bytes.u32), someData]),
    );
    const simple = (original: number, kept: Buffer) =>
      bytes.block(3, Buffer.concat([bytes.u32(original), kept]));
    const interfaces = [bytes.interfaceBlock({ snaplen: 8 }), bytes.interfaceBlock({ linkType: 113 })];
    const read = await all(
      ...interfaces,
      older,
      simple(4, Buffer.from('abcd')),
      simple(100, Buffer.from('abcdefgh')),
    );
    expect(read.packets).toMatchObject([
      { interfaceIndex: 1, original: 30, data, nanoseconds: 364_452_000 },
      { interfaceIndex: 0, original: 4, data: 'abcd', seconds: 0, time: 0n },
      { interfaceIndex: 0, original: 100, data: 'abcdefgh', seconds: 0, time: 0n },
    ]);
    expect(read.damage).toEqual([]);
  });

  test('says what was received and dropped on an interface, last, and in all sections together', async () => {
    const statistics = (received: bigint, dropped: bigint) =>
      bytes.block(
        5,
        Buffer.concat([
          ...[1, 0, 0].map(bytes.u32),
          bytes.option(4, bytes.i64(received)),
          bytes.option(5, bytes.i64(dropped)),
        ]),
      );
    const interfaces = [bytes.interfaceBlock(), bytes.interfaceBlock()];
    const read = await all(...interfaces, statistics(5n, 1n), statistics(9n, 2n));
    expect(read.received).toEqual([undefined, { received: 9, dropped: 2 }]);
    const second = [bytes.section(), ...interfaces, statistics(100n, 20n), statistics(200n, 30n)];
    const both = await all(...interfaces, statistics(9n, 2n), ...second);
    expect(both.received).toEqual([undefined, { received: 209, dropped: 32 }]);
  });
});

const big = captureBytes('big');

// As capinfos counts each of them.
test.each<[what: string, blocks: readonly Buffer[], interfaceOfEach: readonly number[]]>([
  [
    'an interface that is described late',
    [start, packet(), interfaceBlock({ linkType: 113 }), packet({ id: 1 })],
    [0, 1],
  ],
  [
    'a second section of the other byte order',
    [start, packet(), big.section(), big.interfaceBlock({ linkType: 113 }), big.packet()],
    [0, 1],
  ],
  ['a second section with the same interface', [start, packet(), start, packet()], [0, 0]],
  ['a section with a length that is wrong', [section({ length: 8n }), interfaceBlock(), packet()], [0]],
  ['a section with a length that is right', [section({ length: 72n }), interfaceBlock(), packet()], [0]],
  ['the version 1.2', [section({ version: [1, 2] }), interfaceBlock(), packet()], [0]],
  [
    'a broken option of the section',
    [section({ options: Buffer.concat([u16(2), u16(400)]) }), interfaceBlock(), packet()],
    [0],
  ],
  [
    'unknown blocks',
    [start, block(0x1234, someData), packet(), block(0x8000_0000, Buffer.alloc(0)), packet()],
    [0, 0],
  ],
  [
    'an unknown block that is longer than the buffer',
    [start, block(0x1234, Buffer.alloc(1_000_000)), packet()],
    [0],
  ],
  ['more captured than original bytes', [start, packet({ original: 3 }), packet({ original: 0 })], [0, 0]],
  ['more captured bytes than the snaplen', [section(), interfaceBlock({ snaplen: 3 }), packet()], [0]],
  ['a packet without a byte', [start, packet({ data: Buffer.alloc(0) })], [0]],
  ['an empty section', [section()], []],
])('a file with %s is read', async (_what, blocks, interfaceOfEach) => {
  for (const chunkBytes of [2_000_000, 7]) {
    const { packets, damage } = await readBytes(Buffer.concat(blocks), { chunkBytes });
    expect(packets.map(({ interfaceIndex }) => interfaceIndex)).toEqual(interfaceOfEach);
    expect(damage).toEqual([]);
  }
});

test.each<
  [resolution: number, offset: bigint, high: number, low: number, seconds: number, nanoseconds: number]
>([
  [6, 0n, 0x5_f5e1, 0xffff_ffff, 1_677_725_894, 967_295_000],
  [9, 0n, 395_812_000, 1, 1_699_999_595, 364_352_001],
  [0, 5n, 0, 1_700_000_000, 1_700_000_005, 0],
  [3, -10n, 395, 0xffff_ffff, 1_700_807_039, 215_000_000],
  [12, 0n, 0xffff_ffff, 0xffff_ffff, 18_446_744, 73_709_551],
  [19, 0n, 0xffff_ffff, 0xffff_ffff, 1, 844_674_407],
  [0x80 | 32, 0n, 1_700_000_000, 0xffff_ffff, 1_700_000_000, 999_999_999],
  [0x80 | 63, 0n, 0x8000_0000, 0, 1, 0],
  [0x80, 0n, 1, 0, 4_294_967_296, 0],
  [0x80 | 8, 0n, 0, 5 * 256 + 128, 5, 500_000_000],
])('with the resolution %i and the offset %d, %i and %i are %i.%i seconds', async (...values) => {
  const [resolution, offset, high, low, seconds, nanoseconds] = values;
  const options = Buffer.concat([option(9, Buffer.from([resolution])), option(14, little.i64(offset))]);
  const described = Buffer.concat([section(), interfaceBlock({ options })]);
  const read = await readBytes(Buffer.concat([described, packet({ high, low }), packet({ high, low })]));
  const expected = { seconds, nanoseconds, time: (BigInt(high) << 32n) | BigInt(low) };
  expect(read.packets).toMatchObject([expected, expected]);
});

test.each([20, 0x80 | 64])(
  'packets of an interface with the resolution %i are damage',
  async (resolution) => {
    const described = interfaceBlock({ options: option(9, Buffer.from([resolution])) });
    const read = await readBytes(Buffer.concat([start, described, packet({ id: 1 }), packet()]));
    expect(read.packets).toHaveLength(1);
    expect(read.damage.map(({ message }) => message)).toEqual([
      'capture, byte 48: an interface with units of time that are too small for 64 bits; read on from byte 76',
      'capture, byte 76: a packet of an interface that is not described; read on from byte 128',
    ]);
  },
);

const ethernet = Array<Buffer>(65_536).fill(interfaceBlock());

test.each([
  ['one section', [section(), ...ethernet, interfaceBlock(), packet()]],
  ['two sections', [section(), ...ethernet, section(), interfaceBlock({ linkType: 113 }), packet()]],
])('more interfaces than a capture can have, in %s, end it', async (_where, blocks) => {
  const read = await readBytes(Buffer.concat(blocks));
  expect(read.packets).toEqual([]);
  expect(read.damage).toMatchObject([{ message: expect.stringMatching(/: too many interfaces$/) }]);
});

test('more text about interfaces than is kept ends a capture', async () => {
  const described = (name: string) => interfaceBlock({ options: option(2, name) });
  const names = Array.from({ length: 200 }, (_, at) => described(`${at}`.padEnd(60_000, 'x')));
  const read = await readBytes(Buffer.concat([section(), ...names]));
  expect(read.interfaces).toHaveLength(139);
  expect(read.damage).toMatchObject([{ kind: 'corrupt', resumedAt: undefined }]);
});

const unknownSection = section({ version: [2, 0] });

test('the blocks of a section of an unknown version are passed, up to the next section', async () => {
  const read = await readBytes(
    Buffer.concat([start, packet(), unknownSection, interfaceBlock(), packet(), start, packet()]),
  );
  expect(read.packets).toHaveLength(2);
  expect(read.damage.map(({ message }) => message)).toEqual([
    'capture, byte 100: a section of the unknown version 2.0; read on from byte 128',
  ]);
});

test('a text with invalid UTF-8 is a text', async () => {
  const options = option(2, Buffer.from([0x65, 0xff, 0x30]));
  const read = await readBytes(Buffer.concat([section(), interfaceBlock({ options })]));
  expect(read.interfaces[0]?.name).toBe('e\ufffd0');
});

test('a filter that is not in the syntax of libpcap is left out', async () => {
  const options = option(11, Buffer.concat([Buffer.from([1]), u32(6)]));
  const read = await readBytes(Buffer.concat([section(), interfaceBlock({ options })]));
  expect(read.interfaces[0]?.filter).toBeUndefined();
});

test('a simple packet has the time 0 of its interface, as it is written again', async () => {
  const described = interfaceBlock({ options: option(14, little.i64(1000n)) });
  const simple = block(3, Buffer.concat([u32(20), someData]));
  const { packets } = await readBytes(Buffer.concat([section(), described, simple]));
  expect(packets).toMatchObject([{ time: 0n, seconds: 1000, nanoseconds: 0 }]);
});
