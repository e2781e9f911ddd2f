import { expect, test } from 'vitest';
import { problemOf, readBytes } from '../testing/read-capture.ts';

const decompress = 'decompress it first; only pcap and pcapng can be read';
const convert =
  'only pcap and pcapng can be read (editcap, which comes with Wireshark, converts other formats)';

test.each([
  ['1f8b0800', `is compressed with gzip: ${decompress}`],
  ['1f8b', `is compressed with gzip: ${decompress}`],
  ['28b52ffd', `is compressed with zstd: ${decompress}`],
  ['fd377a585a00', `is compressed with xz: ${decompress}`],
  ['425a6839', `is compressed with bzip2: ${decompress}`],
  ['04224d18', `is compressed with lz4: ${decompress}`],
  ['736e6f6f70000000', `is a snoop file; ${convert}`],
  ['34cdb2a1', `is a modified pcap file (magic number 0xa1b2cd34); ${convert}`],
  ['a1b2cd34', `is a modified pcap file (magic number 0xa1b2cd34); ${convert}`],
  ['00000000', `starts with 0x00000000; ${convert}`],
  [
    '0a0d0d0a1c0000004d3c2b1a02000000ffffffffffffffff1c000000',
    'has the pcapng version 2.0; only 1.0 and 1.2 can be read',
  ],
])('what starts with %s is no capture: the message says what it is', async (hex, what) => {
  expect(await problemOf(Buffer.from(hex, 'hex'))).toBe(`capture ${what}`);
});

test.each([
  ['nothing', '', []],
  ['two bytes', 'a1b2', ['capture, byte 0: the file ends inside its header, after 2 bytes']],
  [
    'part of a pcap header',
    'd4c3b2a102',
    ['capture, byte 0: the file ends inside its header, after 5 bytes'],
  ],
  [
    'part of a section header',
    '0a0d0d0a1c',
    ['capture, byte 0: the file ends inside its header, after 5 bytes'],
  ],
])('a capture of %s has no packets', async (_what, hex, messages) => {
  const { packets, interfaces, damage } = await readBytes(Buffer.from(hex, 'hex'));
  expect({ packets, interfaces }).toEqual({ packets: [], interfaces: [] });
  expect(damage.map(({ message }) => message)).toEqual(messages);
});
