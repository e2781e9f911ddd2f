import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import type { CaptureInterface } from '../capture-interface.ts';
import { openCaptureStream } from '../read/capture-reader.ts';
import { captureBytes, endOfOptions, plainInterface } from '../testing/capture-bytes.ts';
import { packetOf } from '../testing/packet-of.ts';
import { chunksOf, packetsOf, type ReadPacket, readBytes } from '../testing/read-capture.ts';
import type { PacketOptions } from './packet-options.ts';
import type { PacketWriter } from './packet-writer.ts';
import { pcapngWriter } from './pcapng-writer.ts';

const text = fc.option(fc.string({ maxLength: 20, unit: 'grapheme' }).map(withoutNul), { nil: undefined });

const interfaces: fc.Arbitrary<CaptureInterface> = fc.record({
  linkType: fc.integer({ min: 0, max: 0xffff }),
  snaplen: fc.constant(262_144),
  resolution: fc.oneof(
    fc.record({ base: fc.constant(10 as const), exponent: fc.nat(19) }),
    fc.record({ base: fc.constant(2 as const), exponent: fc.nat(63) }),
  ),
  offsetSeconds: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  name: text,
  description: text,
  filter: text,
  comment: text,
  frameCheckBytes: fc.option(fc.nat(255), { nil: undefined }),
});

const packets = fc.record({
  interfaceIndex: fc.nat(2),
  time: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  original: fc.nat(0xffff_ffff),
  data: fc.oneof(
    fc.string({ maxLength: 60, unit: 'binary-ascii' }),
    fc.string({ minLength: 250, maxLength: 1500, unit: 'binary-ascii' }),
  ),
});

test('what is written is read again: interfaces, times, lengths and data', async () => {
  const described = fc.array(interfaces, { minLength: 3, maxLength: 3 });
  await fc.assert(
    fc.asyncProperty(described, fc.array(packets, { maxLength: 20 }), async (descriptions, written) => {
      const writer = pcapngWriter('test');
      for (const [number, one] of descriptions.entries()) expect(writer.addInterface(one)).toBe(number);
      const chunks: Buffer[] = [];
      for (const packet of written) {
        expect(writer.writePacket(packetOf(packet), packet.interfaceIndex, 0)).toBeUndefined();
        if (writer.pendingBytes > 4000) chunks.push(Buffer.from(writer.take()));
      }
      chunks.push(Buffer.from(writer.take()));
      const read = await readBytes(Buffer.concat(chunks));
      expect(read.interfaces).toEqual(descriptions);
      expect(read.packets).toMatchObject(written);
      expect(read.damage).toEqual([]);
    }),
    { numRuns: 1000 },
  );
});

test.each(['little', 'big'] as const)(
  'the options of a %s-endian packet are kept, others are not',
  async (byteOrder) => {
    const { section, interfaceBlock, packet, option, u32, i64 } = captureBytes(byteOrder);
    const kept = [
      option(1, 'one'),
      option(2, u32(0x1234_5678)),
      option(4, i64(2n ** 33n)),
      option(1, 'zwei'),
    ];
    const others = [option(3, 'hash'), option(5, i64(1n)), option(2, 'six'), option(2989, 'custom')];
    const broken = Buffer.concat([...kept, option(1, 'a comment that is cut')]).subarray(0, -8);
    const options = [Buffer.concat([...others, ...kept, endOfOptions]), Buffer.concat(others), broken];
    const source = Buffer.concat([
      section(),
      interfaceBlock(),
      ...options.map((one) => packet({ options: one })),
    ]);
    const all: PacketOptions = { comments: ['one', 'zwei'], flags: 0x1234_5678, dropped: 2 ** 33 };
    expect((await copied(source, 0)).map((one) => one.options)).toEqual([all, undefined, all]);
    const withMore = { ...all, dropped: 2 ** 33 + 7 };
    const only = { comments: [], flags: undefined, dropped: 7 };
    expect((await copied(source, 7)).map((one) => one.options)).toEqual([withMore, only, withMore]);
  },
);

test('bytes that were taken stay as they are until more are taken', () => {
  const writer = pcapngWriter('podcap 0');
  writer.addInterface(plainInterface);
  writer.take();
  const write = (data: string) => writer.writePacket(packetOf({ time: 1n, original: 1, data }), 0, 0);
  write('aaaa');
  const first = writer.take();
  write('bbbb');
  expect(Buffer.from(first).includes('aaaa')).toBe(true);
  expect(Buffer.from(writer.take()).includes('bbbb')).toBe(true);
  expect(writer.pendingBytes).toBe(0);
});

// 0 to 3 bytes of padding, in a buffer that had other bytes before.
test('padding is zero', () => {
  const writer = pcapngWriter('podcap 0');
  writer.addInterface(plainInterface);
  for (const byte of ['\xff'.repeat(300), '\xff'.repeat(300)]) {
    writer.writePacket(packetOf({ time: 1n, original: 1, data: byte }), 0, 0);
    writer.take();
  }
  for (const length of [0, 1, 2, 3, 4, 257]) {
    writer.writePacket(packetOf({ time: 1n, original: 9, data: 'x'.repeat(length) }), 0, 0);
    const bytes = Buffer.from(writer.take());
    expect(bytes.subarray(28 + length, -4)).toEqual(Buffer.alloc(-length & 3));
    expect(bytes.readUInt32LE(24)).toBe(9);
  }
});

test('the padding of options is zero', () => {
  const writer = pcapngWriter('podcap 0');
  for (let half = 0; half < 2; half += 1) {
    writer.writePacket(packetOf({ time: 1n, original: 1, data: '\xff'.repeat(900) }), 0, 0);
    writer.take();
  }
  writer.addInterface({ ...plainInterface, name: 'x' });
  expect(Buffer.from(writer.take()).includes(Buffer.from([2, 0, 1, 0, 0x78, 0, 0, 0]))).toBe(true);
  const data = '\x01\0\x01\0y~~~';
  const packet = { ...packetOf({ time: 1n, original: 8, data }), optionsAt: 6, optionsBytes: 8 };
  writer.writePacket({ ...packet, capturedBytes: 0 }, 0, 0);
  expect(Buffer.from(writer.take()).includes(Buffer.from([1, 0, 1, 0, 0x79, 0, 0, 0]))).toBe(true);
});

test('a text is cut to what an option can hold, between two characters', async () => {
  const writer = pcapngWriter('podcap 0');
  writer.addInterface({
    ...plainInterface,
    name: 'ab',
    comment: 'é'.repeat(70_000),
    filter: `x${'€'.repeat(30_000)}`,
  });
  const read = await readBytes(writer.take());
  expect(read.interfaces[0]?.comment).toBe('é'.repeat(32_500));
  expect(read.interfaces[0]?.filter).toMatch(/^x€+$/);
  expect(read.interfaces[0]?.name).toBe('ab');
});

test('statistics are written, with what is known', async () => {
  const writer = pcapngWriter('podcap 0');
  writer.addInterface(plainInterface);
  writer.addInterface({ ...plainInterface, name: 'eth1' });
  writer.end([
    {
      interfaceNumber: 1,
      received: 10n,
      dropped: 2n,
      droppedBySystem: 5n,
      delivered: 7n,
      start: 1n,
      end: 2n ** 40n,
      comment: 'pruned 1',
    },
    { interfaceNumber: 0 },
  ]);
  const read = await readBytes(writer.take());
  expect(read.received).toEqual([
    { received: undefined, dropped: undefined },
    { received: 10, dropped: 2, droppedBySystem: 5, comment: 'pruned 1' },
  ]);
  expect(read.damage).toEqual([]);
});

/** The packets of a capture, written again. */
async function copied(source: Uint8Array, droppedBefore: number): Promise<readonly ReadPacket[]> {
  const opened = await openCaptureStream(chunksOf(source, 33), { name: 'capture' });
  if (opened.kind !== 'capture') throw new Error(opened.message);
  await using reader = opened.reader;
  const writer: PacketWriter = pcapngWriter('podcap 0');
  writer.addInterface(plainInterface);
  for await (const packet of packetsOf(reader)) writer.writePacket(packet, 0, droppedBefore);
  return (await readBytes(writer.take())).packets;
}

/** A NUL ends a text. */
function withoutNul(one: string): string {
  return one.replaceAll('\0', '');
}
