import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type PcapHeader, parseHeader, recordsIn, scanRecords } from './pcap-format.ts';

const header: PcapHeader = { byteOrder: 'little', resolution: 'us', snaplen: 262_144, linkType: 1 };

describe('a file header', () => {
  const rest = '0200 0400 00000000 00000000 00000400 01000000';
  const restBig = '0002 0004 00000000 00000000 00040000 00000001';
  test.each([
    ['little endian, microseconds', `d4c3b2a1 ${rest}`, header],
    ['little endian, nanoseconds', `4d3cb2a1 ${rest}`, { ...header, resolution: 'ns' }],
    ['big endian, microseconds', `a1b2c3d4 ${restBig}`, { ...header, byteOrder: 'big' }],
    ['big endian, nanoseconds', `a1b23c4d ${restBig}`, { ...header, byteOrder: 'big', resolution: 'ns' }],
  ])('%s', (_, bytes, expected) => {
    expect(parseHeader(hex(bytes))).toEqual({ kind: 'pcap', header: expected });
  });

  test('has a link type without the bits of the frame check sequence', () => {
    expect(parseHeader(hex('d4c3b2a1 0200 0400 00000000 00000000 60000000 71000044'))).toMatchObject({
      header: { snaplen: 96, linkType: 0x71 },
    });
  });

  test.each([
    ['nothing', ''],
    ['half a magic number', 'd4c3'],
    ['half a header', 'd4c3b2a1 0200 0400'],
  ])('%s is an empty file', (_, bytes) => {
    expect(parseHeader(hex(bytes))).toEqual({ kind: 'empty' });
  });

  test.each([
    ['pcapng', '0a0d0d0a 1c000000', 'is a pcapng file, not a pcap file'],
    ['gzip', '1f8b0800 00000000', 'is not a pcap file: it starts with 0x1f8b0800'],
  ])('%s is not pcap', (_, bytes, message) => {
    expect(parseHeader(hex(bytes))).toEqual({ kind: 'not-pcap', message });
  });
});

describe('records', () => {
  const two = '01000000 02000000 03000000 3c000000 aabbcc 05000000 3f420f00 01000000 01000000 dd';
  const twoBig = '00000001 00000002 00000003 0000003c aabbcc 00000005 000f423f 00000001 00000001 dd';
  const expected = [
    { timestampNs: 1_000_002_000n, originalBytes: 60, data: hex('aabbcc') },
    { timestampNs: 5_999_999_000n, originalBytes: 1, data: hex('dd') },
  ];

  test('are read in either byte order', () => {
    expect([...recordsIn(hex(two), header)]).toEqual(expected);
    expect([...recordsIn(hex(twoBig), { ...header, byteOrder: 'big' })]).toEqual(expected);
  });

  test('have nanoseconds if the header does', () => {
    const [first] = recordsIn(hex(two), { ...header, resolution: 'ns' });
    expect(first?.timestampNs).toBe(1_000_000_002n);
  });

  test.each([
    ['a length that no packet can have', '01000000 02000000 01000400 01000400'],
    ['the zeros that a crash leaves', '00000000 00000000 00000000 00000000 00000000'],
  ])('end before %s', (_, tail) => {
    expect(scanRecords(hex(two + tail), header)).toEqual({ records: 2, wholeBytes: 36, stop: 'corrupt' });
  });

  test('can have the maximum length of a packet', () => {
    const longest = Buffer.concat([hex('01000000 02000000 00000400 00000400'), Buffer.alloc(262_144)]);
    expect(scanRecords(longest, header)).toEqual({ records: 1, wholeBytes: 262_160, stop: 'end' });
  });

  test('of a file that is cut anywhere are the whole ones before the cut', () => {
    const packets = fc.array(fc.uint8Array({ minLength: 1, maxLength: 40 }), { maxLength: 12 });
    const byteOrders = fc.constantFrom<PcapHeader['byteOrder']>('little', 'big');
    fc.assert(
      fc.property(packets, byteOrders, fc.nat({ max: 1000 }), (datas, byteOrder, draw) => {
        const records = datas.map((data) => record(data, byteOrder));
        const file = Buffer.concat(records);
        const cut = draw % (file.length + 1);
        const ends = records.map((_, i) => Buffer.concat(records.slice(0, i + 1)).length);
        const whole = ends.filter((end) => end <= cut);

        const bytes = file.subarray(0, cut);
        const wholeBytes = whole.at(-1) ?? 0;
        const stop = wholeBytes === cut ? 'end' : 'cut';
        expect(scanRecords(bytes, { ...header, byteOrder })).toEqual({
          records: whole.length,
          wholeBytes,
          stop,
        });
        const read = [...recordsIn(bytes, { ...header, byteOrder })].map(({ data }) => Buffer.from(data));
        expect(read).toEqual(datas.slice(0, whole.length).map((data) => Buffer.from(data)));
      }),
    );
  });
});

function hex(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text.replaceAll(' ', ''), 'hex'));
}

function record(data: Uint8Array, byteOrder: PcapHeader['byteOrder']): Buffer {
  const fields = Buffer.alloc(16);
  const little = byteOrder === 'little';
  for (const [i, value] of [1_700_000_000, 123_456, data.length, data.length + 7].entries())
    new DataView(fields.buffer, fields.byteOffset).setUint32(i * 4, value, little);
  return Buffer.concat([fields, data]);
}
