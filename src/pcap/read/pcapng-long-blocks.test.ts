import { expect, test } from 'vitest';
import { captureBytes, someData } from '../testing/capture-bytes.ts';
import { readBytes } from '../testing/read-capture.ts';

const { section, interfaceBlock, packet, option, u32 } = captureBytes('little');
const start = Buffer.concat([section(), interfaceBlock()]);
const data = someData.toString('latin1');

// capinfos reads both packets of each.
test.each([220, 231])('a packet of link type %i that is too long is passed over', async (linkType) => {
  const head = Buffer.concat([section(), interfaceBlock({ linkType })]);
  // Its data are blocks, which are none of the capture.
  for (const packets of [6_000, 12_000]) {
    const inner = Buffer.concat(Array<Buffer>(packets).fill(packet()));
    const bytes = Buffer.concat([head, packet({ data: inner }), packet()]);
    for (const options of [{}, { bufferBytes: 0, chunkBytes: 1000 }]) {
      const read = await readBytes(bytes, options);
      expect(read.packets).toHaveLength(1);
      expect(read.damage).toMatchObject([{ offset: 48, resumedAt: bytes.length - 52 }]);
    }
  }
});

const comments = Buffer.concat(Array<Buffer>(12).fill(option(1, 'c'.repeat(60_000))));

test('a packet with more options than are read is read without them', async () => {
  const long = packet({ options: comments });
  for (const options of [{}, { bufferBytes: 0, chunkBytes: 1000 }]) {
    const read = await readBytes(Buffer.concat([start, long, packet()]), options);
    expect(read.packets).toMatchObject([
      { data, options: undefined },
      { data, options: undefined },
    ]);
    expect(read.damage.map(({ message }) => message)).toEqual([
      'capture, byte 48: a packet with 720048 bytes of options, which are passed over; read on from byte 720148',
    ]);
  }
  const cut = await readBytes(Buffer.concat([start, long.subarray(0, 600_000)]));
  expect(cut.packets).toHaveLength(1);
  expect(cut.damage).toMatchObject([{ kind: 'cut', offset: 48, resumedAt: undefined }]);
});

test('a long block that no options start in is damage', async () => {
  const damaged = packet();
  u32(600_000).copy(damaged, 4);
  const many = Array<Buffer>(20_000).fill(packet());
  expect((await readBytes(Buffer.concat([start, damaged, ...many]))).packets).toHaveLength(20_000);
});
