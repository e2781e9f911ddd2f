import { expect, test } from 'vitest';
import { captureBytes, someData } from '../testing/capture-bytes.ts';
import { readBytes } from '../testing/read-capture.ts';
import { searchBlock } from './pcapng-resync.ts';
import { ReadBuffer } from './read-buffer.ts';

const { section, interfaceBlock, packet, block, option, u16, u32 } = captureBytes('little');
const start = Buffer.concat([section(), interfaceBlock()]);
const good = packet();
const next = packet({ low: 200 });
const at = start.length + good.length;

/** Damage between two packets: what is there, and what the reader says about it. */
test.each<[what: string, damaged: Buffer, says: string, resumedAfter?: number]>([
  ['a wrong second length', packet({ second: 77 }), 'a block with two different lengths, 52 and 77'],
  ['a length of 0', Buffer.alloc(64), 'no block of type 0 can have 0 bytes'],
  [
    'an odd length',
    Buffer.concat([u32(6), u32(33), Buffer.alloc(28)]),
    'no block of type 6 can have 33 bytes',
  ],
  ['a length that is too short', block(6, Buffer.alloc(8)), 'no block of type 6 can have 20 bytes'],
  [
    'a huge length',
    Buffer.concat([u32(6), u32(0x7fff_fffc)]),
    'no block of type 6 can have 2147483644 bytes',
  ],
  [
    'an unknown block of 17 MiB',
    Buffer.concat([u32(77), u32(17 * 2 ** 20)]),
    'no block of type 77 can have 17825792 bytes',
  ],
  ['an unknown interface', packet({ id: 1 }), 'a packet of an interface that is not described'],
  [
    'more data than its block',
    packet({ captured: 30 }),
    'a packet of 30 bytes, more than its block or any packet has',
  ],
  [
    'one byte more than its block',
    packet({ captured: 21 }),
    'a packet of 21 bytes, more than its block or any packet has',
  ],
  [
    'a simple packet that is cut by one byte',
    block(3, Buffer.concat([u32(21), someData])),
    'a packet of 21 bytes, more than its block or any packet has',
  ],
  [
    'too large a packet',
    packet({ data: Buffer.alloc(262_145) }),
    'a packet of 262145 bytes is longer than 262144 and is passed over',
  ],
  [
    'a simple packet that is cut',
    block(3, Buffer.concat([u32(30), someData])),
    'a packet of 30 bytes, more than its block or any packet has',
  ],
  [
    'a section without a byte order',
    block(0x0a0d0d0a, Buffer.alloc(16)),
    'a section header without a byte order',
  ],
  [
    'a section of 8 bytes',
    Buffer.concat([section().subarray(0, 4), u32(8), section().subarray(8)]),
    'no section header can have 8 bytes',
  ],
  [
    'an option that is longer than the block',
    interfaceBlock({ options: Buffer.concat([u16(2), u16(99)]) }),
    'an interface with an option that is longer than its block',
  ],
  [
    'an unknown block with two lengths',
    block(99, Buffer.alloc(40), 44),
    'a block with two different lengths, 52 and 44',
  ],
])('after %s, the next packet is found', async (_what, damaged, says) => {
  const bytes = Buffer.concat([start, good, damaged, next, good]);
  const resumedAt = at + damaged.length;
  for (const chunkBytes of [bytes.length, 5]) {
    const read = await readBytes(bytes, { chunkBytes });
    expect(read.packets.map(({ time }) => time % 1000n)).toEqual([452n, 552n, 452n]);
    const message = `capture, byte ${at}: ${says}; read on from byte ${resumedAt}`;
    expect(read.damage).toEqual([{ kind: 'corrupt', offset: at, resumedAt, message }]);
  }
});

test('what a damaged place hides is looked for as a section and as an interface too', async () => {
  const read = await readBytes(
    Buffer.concat([
      start,
      Buffer.alloc(40),
      start,
      good,
      Buffer.alloc(8),
      interfaceBlock(),
      packet({ id: 1 }),
    ]),
  );
  expect(read.packets.map(({ interfaceIndex }) => interfaceIndex)).toEqual([0, 1]);
  expect(read.damage.map(({ resumedAt }) => resumedAt)).toEqual([88, 196]);
});

const badLengths: readonly [string, (bytes: Buffer) => void][] = [
  ['its first length', (bytes) => bytes.writeUInt8(0x80 ^ bytes.readUInt8(4), 4)],
  [
    'its second length',
    (bytes) => bytes.writeUInt8(0x80 ^ bytes.readUInt8(bytes.length - 4), bytes.length - 4),
  ],
  ['a length beyond the end of the file', (bytes) => bytes.writeUInt32LE(100_000, 4)],
];
const eachOfThree = [0, 1, 2].flatMap((lost) => badLengths.map(([what, damage]) => ({ lost, what, damage })));

test.each(eachOfThree)(
  'interface $lost of three is lost by $what: its packets are missing, and no other gets them',
  async ({ lost, damage }) => {
    const blocks = ['web', 'db', 'x'].map((name) => interfaceBlock({ options: option(2, name) }));
    const packets = [0, 1, 2, 1, 0].map((id) => packet({ id, low: 100 + id }));
    damage(blocks[lost] ?? Buffer.alloc(0));
    const read = await readBytes(Buffer.concat([section(), ...blocks, ...packets]));
    const shown = read.packets.map(({ interfaceIndex, time }) => [
      read.interfaces[interfaceIndex]?.name,
      time & 0xffn,
    ]);
    const expected = [0, 1, 2, 1, 0].filter((id) => id !== lost);
    expect(shown).toEqual(expected.map((id) => [['web', 'db', 'x'][id], BigInt(100 + id)]));
    expect(read.damage.length).toBeGreaterThan(1);
  },
);

test('interfaces without end that are lost end the reading', async () => {
  const lost = Buffer.concat([u32(1), u32(4), interfaceBlock()]);
  const read = await readBytes(Buffer.concat([section(), ...Array.from({ length: 40_000 }, () => lost)]));
  expect(read.damage.at(-1)?.message).toContain('more damaged places');
  expect(read.interfaces.length).toBeLessThanOrEqual(65_536 / 2);
});

test.each([0xff, 100_000])(
  'the interfaces of a section whose header is lost are none of the section before: length %i',
  async (length) => {
    const damaged = Buffer.from(section());
    damaged.writeUInt32LE(length, 4);
    const named = (name: string) => interfaceBlock({ options: option(2, name) });
    const read = await readBytes(
      Buffer.concat([section(), named('web'), packet(), damaged, named('db'), packet()]),
    );
    expect(read.packets.map(({ interfaceIndex }) => read.interfaces[interfaceIndex]?.name)).toEqual([
      'web',
      'db',
    ]);
  },
);

const ofPodcap = section({ options: option(4, 'podcap 0.1.0') });
const statistics = block(5, Buffer.concat([Buffer.alloc(12), option(8, '12345678')]));
/** It counts nothing. */
const keepAlive = block(5, Buffer.alloc(12));

test.each<[string, readonly Buffer[], number[]]>([
  ['a file', [ofPodcap, interfaceBlock(), packet()], [0]],
  ['a file that ends while it is kept alive', [ofPodcap, interfaceBlock(), packet(), keepAlive], [0]],
  ['a file without packets', [ofPodcap, interfaceBlock()], [0]],
  ['the first of two', [ofPodcap, interfaceBlock(), packet(), ofPodcap, interfaceBlock(), statistics], [0]],
  ['no file with statistics', [ofPodcap, interfaceBlock(), packet(), statistics], []],
  ['no file without interfaces', [ofPodcap], []],
  [
    'no file of another program',
    [section({ options: option(4, 'podcaptor') }), interfaceBlock(), packet()],
    [],
  ],
])('podcap ends a section with statistics, so %s lacks them', async (_what, blocks, offsets) => {
  const { damage } = await readBytes(Buffer.concat(blocks));
  expect(damage.map(({ kind, offset }) => [kind, offset])).toEqual(
    offsets.map((offset) => ['unmarked', offset]),
  );
});

// wiretap does not read it either.
test('a packet whose two lengths are equal and odd is damage', async () => {
  const odd = block(6, packet({ data: someData.subarray(0, 17) }).subarray(8, -4 - 3));
  const read = await readBytes(Buffer.concat([start, odd, Buffer.alloc(3), next]));
  expect(read.packets.map(({ time }) => time % 1000n)).toEqual([552n]);
  expect(read.damage).toMatchObject([{ offset: start.length, resumedAt: start.length + 52 }]);
});

test('a block with two different lengths is not what is looked for', async () => {
  const read = await readBytes(Buffer.concat([start, Buffer.alloc(8), packet({ second: 77 }), next]));
  expect(read.packets.map(({ time }) => time % 1000n)).toEqual([552n]);
  expect(read.damage).toMatchObject([{ offset: start.length, resumedAt: start.length + 8 + 52 }]);
});

// As many as capinfos reads without the damage.
test.each([10_000, 20_000, 150_000, 262_144])(
  'after damage, packets of %i bytes are found whatever the size of the buffer',
  async (packetBytes) => {
    const long = Array.from({ length: 5 }, (_, low) => packet({ low, data: Buffer.alloc(packetBytes) }));
    const bytes = Buffer.concat([start, Buffer.alloc(8), ...long, Buffer.alloc(8), ...long, next]);
    for (const options of [
      { bufferBytes: 0 },
      { bufferBytes: 2 ** 20 },
      { bufferBytes: 0, chunkBytes: 999 },
    ]) {
      const read = await readBytes(bytes, options);
      expect(read.packets).toHaveLength(11);
      expect(read.damage).toMatchObject([{ resumedAt: start.length + 8 }, {}]);
    }
  },
);

test('the search for a block moves each byte only once or twice, even if all of them can start one', async () => {
  const buffer = new ReadBuffer(0);
  const bytes = Buffer.alloc(2 ** 21);
  // What could be a packet of the largest length that is looked for starts every 24 bytes.
  const start24 = Buffer.concat([u32(6), u32(2 ** 19 - 8), u32(0), u32(0), u32(0), u32(4)]);
  for (let offset = 0; offset + 24 <= bytes.length; offset += 24) start24.copy(bytes, offset);
  let given = 0;
  const read = (target: Uint8Array) => {
    const length = Math.min(target.length, 1000, bytes.length - given);
    target.set(bytes.subarray(given, given + length));
    given += length;
    return length;
  };
  buffer.begin({ name: 'capture', read, [Symbol.asyncDispose]: async () => {} });
  let moves = 0;
  let found = searchBlock(buffer, { littleEndian: true, interfaces: 1 });
  for (; found === 'more'; found = searchBlock(buffer, { littleEndian: true, interfaces: 1 })) {
    const before = buffer.offset;
    await buffer.more();
    if (buffer.offset !== before) moves += 1;
  }
  expect(found).toBe('none');
  expect(buffer.bytes).toHaveLength(2 ** 20);
  expect(moves).toBeLessThan(6);
});

test('only what is aligned to 4 bytes is taken for a block', async () => {
  const read = await readBytes(Buffer.concat([start, Buffer.alloc(42), good, Buffer.alloc(2), next]));
  expect(read.packets.map(({ time }) => time % 1000n)).toEqual([552n]);
});

test('a packet of an unknown interface is not what is looked for', async () => {
  const read = await readBytes(Buffer.concat([start, Buffer.alloc(8), packet({ id: 1 }), next]));
  expect(read.packets.map(({ time }) => time % 1000n)).toEqual([552n]);
  expect(read.damage).toMatchObject([{ offset: start.length, resumedAt: start.length + 8 + 52 }]);
});

// Its data could be a capture file that somebody has downloaded.
test('a packet that is cut at the end is not searched for blocks', async () => {
  const inner = packet({ data: Buffer.concat([good, good]) });
  const read = await readBytes(Buffer.concat([start, good, inner.subarray(0, -4)]));
  expect(read.packets).toHaveLength(1);
  expect(read.damage).toMatchObject([{ kind: 'cut', offset: at, resumedAt: undefined }]);
});

// capinfos and tshark read one packet of each.
test.each<[what: string, options: Buffer, missing: number]>([
  ['in its data, before a comment', option(1, 'a comment'), 40],
  ['in its comment', option(1, 'a comment'), 8],
  ['after its comment', option(1, 'a comment'), 4],
  ['in the end of its options', Buffer.concat([option(1, 'a comment'), Buffer.alloc(4)]), 6],
  ['after its flags and a custom option', Buffer.concat([option(2, u32(1)), option(2988, u32(1))]), 4],
])('a packet that is cut %s is not searched for blocks', async (_what, options, missing) => {
  const whole = packet({ data: Buffer.concat([good, good]), options });
  const read = await readBytes(Buffer.concat([start, good, whole.subarray(0, -missing)]));
  expect(read.packets).toHaveLength(1);
  expect(read.damage).toMatchObject([{ kind: 'cut', offset: at, resumedAt: undefined }]);
});

test('a simple packet that is cut is not searched for blocks, unless its length is wrong', async () => {
  const simple = block(3, Buffer.concat([u32(2 * good.length), good, good]));
  const cut = await readBytes(Buffer.concat([start, simple.subarray(0, -8)]));
  expect(cut.packets).toEqual([]);
  expect(cut.damage).toMatchObject([{ kind: 'cut', offset: start.length }]);
  u32(10_000).copy(simple, 4);
  expect((await readBytes(Buffer.concat([start, simple]))).packets).toHaveLength(2);
});

test('a cut packet that says it has 3 GiB is searched for blocks', async () => {
  const damaged = Buffer.concat([packet({ captured: 3 * 2 ** 30 }), good]);
  u32(10_000).copy(damaged, 4);
  expect((await readBytes(Buffer.concat([start, damaged]))).packets).toHaveLength(1);
});

test('an interface that is cut in its comment is not searched for blocks', async () => {
  const cut = interfaceBlock({ options: option(1, Buffer.concat([good, good])) }).subarray(0, -8);
  const read = await readBytes(Buffer.concat([start, good, cut]));
  expect(read.packets).toHaveLength(1);
  expect(read.damage).toMatchObject([{ kind: 'cut', offset: at }]);
});

test.each(['little', 'big'] as const)(
  'a wrong length that reaches beyond the end, %s endian, is damage',
  async (order) => {
    const bytes = captureBytes(order);
    for (const id of [0, 1]) {
      const damaged = bytes.packet({ id });
      bytes.u32(10_000).copy(damaged, 4);
      const head = Buffer.concat([bytes.section(), bytes.interfaceBlock(), bytes.interfaceBlock()]);
      const read = await readBytes(Buffer.concat([head, damaged, bytes.packet({ id })]));
      expect(read.packets).toHaveLength(1);
    }
  },
);

test('a length that reaches beyond the end of the file is damage like others', async () => {
  const damaged = packet();
  damaged.writeUInt32LE(10_000, 4);
  const read = await readBytes(Buffer.concat([start, damaged, next]));
  expect(read.packets).toHaveLength(1);
  expect(read.damage).toMatchObject([{ kind: 'corrupt', offset: start.length, resumedAt: at }]);
});

test('damage everywhere is counted after the first hundred places', async () => {
  const bad = Array.from({ length: 150 }, () => Buffer.concat([Buffer.alloc(8), good]));
  const read = await readBytes(Buffer.concat([start, ...bad]));
  expect(read.packets).toHaveLength(150);
  expect(read.damage).toHaveLength(101);
  expect(read.damage.at(-1)?.message).toBe('50 more damaged places after byte 5988');
});
