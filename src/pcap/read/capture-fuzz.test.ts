import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { captureBytes, endOfOptions } from '../testing/capture-bytes.ts';
import { problemOf, type ReadCapture, readBytes } from '../testing/read-capture.ts';

/** A capture, where each of its packets ends, and how long it is without the first of them. */
type Written = { readonly bytes: Buffer; readonly head: number; readonly ends: readonly number[] };

const dataOf = fc.uint8Array({ maxLength: 70 }).map((bytes) => Buffer.from(bytes));
const orders = fc.constantFrom('little' as const, 'big' as const);

/** Times are never 0: a record of zeros is a case of its own. */
const pcap = fc
  .record({ order: orders, datas: fc.array(dataOf, { maxLength: 8 }) })
  .map(({ order, datas }) => {
    const { header, record } = captureBytes(order);
    return joined(
      [header()],
      datas.map((data, at) => [record({ data, fraction: at, seconds: 1 + at })]),
    );
  });

const pcapng = fc
  .record({ order: orders, datas: fc.array(fc.tuple(dataOf, fc.nat(3)), { maxLength: 8 }) })
  .map(({ order, datas }) => {
    const { section, interfaceBlock, packet, block, option } = captureBytes(order);
    const packets = datas.map(([data, kind]) => {
      if (kind === 0) return [block(5_000, data.subarray(0, data.length & ~3)), packet({ data })];
      if (kind === 1) return [interfaceBlock(), packet({ data })];
      const options = kind === 2 ? Buffer.concat([option(1, 'text'), endOfOptions]) : Buffer.alloc(0);
      return [packet({ data, options })];
    });
    return joined([section(), interfaceBlock()], packets);
  });

const captures = fc.oneof(pcap, pcapng);

test('a capture that is cut anywhere gives exactly the packets before the cut', async () => {
  await fc.assert(
    fc.asyncProperty(
      captures,
      fc.nat(),
      fc.integer({ min: 1, max: 40 }),
      async (written, where, chunkBytes) => {
        const length = written.head + (where % (written.bytes.length - written.head + 1));
        const read = await readBytes(written.bytes.subarray(0, length), { chunkBytes });
        expect(read.packets).toHaveLength(written.ends.filter((end) => end <= length).length);
        expect(read.damage.filter(({ kind }) => kind !== 'cut')).toEqual([]);
        expect(read.damage.length).toBeLessThanOrEqual(1);
      },
    ),
    { numRuns: runs },
  );
});

const long = fc.integer({ min: 0, max: 300_000 }).map((length) => Buffer.alloc(length, 'x'));
const zeros = fc.integer({ min: 0, max: 20_000 }).map((length) => Buffer.alloc(length));
const pieces = fc.array(fc.oneof(long, zeros, dataOf), { minLength: 1, maxLength: 6 });
const longCaptures = fc.oneof(
  pieces.map((datas) => {
    const { header, record } = captureBytes('little');
    const records = datas.map((data) => (data[0] === 0 ? data : record({ data })));
    return Buffer.concat([header({ network: 220 }), ...records]);
  }),
  fc.tuple(pieces, fc.nat(3)).map(([datas, comments]) => {
    const { section, interfaceBlock, packet, option } = captureBytes('little');
    const options = Buffer.concat(Array<Buffer>(comments * 4).fill(option(1, 'c'.repeat(60_000))));
    const blocks = datas.map((data) =>
      data[0] === 0 ? data.subarray(data.length & 3) : packet({ data, options }),
    );
    return Buffer.concat([section(), interfaceBlock({ linkType: 220 }), ...blocks]);
  }),
);

test('what is read depends neither on the size of the buffer nor on that of the chunks', async () => {
  const change = fc.tuple(fc.nat(), fc.nat(255));
  await fc.assert(
    fc.asyncProperty(
      longCaptures,
      fc.array(change, { maxLength: 3 }),
      fc.nat(),
      async (bytes, changes, cut) => {
        for (const [where, value] of changes) bytes[where % bytes.length] = value;
        const some = bytes.subarray(0, cut % 2 === 0 ? bytes.length : 24 + (cut % bytes.length));
        const [first, ...others] = await Promise.all([
          summaryOf(some, { bufferBytes: 0 }),
          summaryOf(some, { bufferBytes: 2 ** 20 }),
          summaryOf(some, { bufferBytes: 0, chunkBytes: 5_003 }),
        ]);
        for (const other of others) expect(other).toEqual(first);
      },
    ),
    { numRuns: longRuns },
  );
});

test('a capture that is cut at each of its bytes can be read', async () => {
  for (const { bytes, ends } of fc.sample(captures, { numRuns: 5, seed: 1 }))
    for (let length = 0; length <= bytes.length; length += 1) {
      const { packets } = await readBytes(bytes.subarray(0, length));
      expect(packets).toHaveLength(ends.filter((end) => end <= length).length);
    }
});

test('damage never hides a whole packet before it, and reading always ends', async () => {
  const change = fc.tuple(fc.nat(), fc.nat(255));
  await fc.assert(
    fc.asyncProperty(captures, fc.array(change, { minLength: 1, maxLength: 6 }), async (written, changes) => {
      const damaged = Buffer.from(written.bytes);
      const span = damaged.length - written.head;
      if (span === 0) return;
      const places = changes.map(([where, value]) => {
        const at = written.head + (where % span);
        damaged[at] = value;
        return at;
      });
      const [whole, read] = [await readBytes(written.bytes), await readBytes(damaged, { bufferBytes: 0 })];
      const before = written.ends.filter((end) => end <= Math.min(...places)).length;
      expect(read.packets.slice(0, before)).toEqual(whole.packets.slice(0, before));
    }),
    { numRuns: runs },
  );
});

test('bytes of any kind after a magic number are read to their end', async () => {
  const magic = fc.constantFrom('0a0d0d0a', 'a1b2c3d4', 'd4c3b2a1', '4d3cb2a1', '');
  const rest = fc.array(fc.oneof(fc.uint8Array({ maxLength: 9 }), words()), { maxLength: 40 });
  await fc.assert(
    fc.asyncProperty(magic, rest, fc.integer({ min: 1, max: 64 }), async (start, parts, chunkBytes) => {
      const bytes = Buffer.concat([Buffer.from(start, 'hex'), ...parts]);
      if ((await problemOf(bytes)) !== undefined) return;
      const [read, again] = [await readBytes(bytes), await readBytes(bytes, { chunkBytes, bufferBytes: 0 })];
      expect(again).toEqual(read);
      expect(totalBytes(read)).toBeLessThanOrEqual(bytes.length);
    }),
    { numRuns: runs },
  );
});

const runs = 1500;
const longRuns = 150;

/** Undefined if the start is no capture. */
async function summaryOf(bytes: Buffer, options: { bufferBytes: number; chunkBytes?: number }) {
  if ((await problemOf(bytes.subarray(0, 64))) !== undefined) return undefined;
  const { packets, damage } = await readBytes(bytes, options);
  return { packets: packets.map(({ time, data }) => [time, data.length]), damage };
}

/** What makes random bytes look like blocks: types, lengths and byte orders. */
function words(): fc.Arbitrary<Buffer> {
  const { u32, section, interfaceBlock, packet } = captureBytes('little');
  const values = [0, 1, 2, 3, 5, 6, 12, 20, 28, 32, 36, 0x1a2b3c4d, 0x0a0d0d0a, 0xffff_ffff];
  const blocks = [section(), interfaceBlock(), packet(), packet({ second: 3 })];
  return fc.constantFrom(...values.map(u32), ...blocks);
}

function joined(head: readonly Buffer[], packets: readonly (readonly Buffer[])[]): Written {
  const start = Buffer.concat(head);
  const ends: number[] = [];
  let end = start.length;
  for (const blocks of packets) {
    end += Buffer.concat(blocks).length;
    ends.push(end);
  }
  return { bytes: Buffer.concat([start, ...packets.flat()]), head: start.length, ends };
}

function totalBytes({ packets }: ReadCapture): number {
  return packets.reduce((sum, { data }) => sum + data.length, 0);
}
