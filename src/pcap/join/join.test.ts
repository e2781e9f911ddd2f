import { describe, expect, test } from 'vitest';
import type { PcapHeader } from '../pcap-format.ts';
import { captureFile, joined, microseconds, type TestPacket } from '../testing/capture-files.ts';

const start = 1_700_000_000_000_000;

describe('sources joined', () => {
  test('are one file: one header, and the records of all files unchanged', async () => {
    const packets = Array.from({ length: 10 }, (_, i) => packet(i));
    const files = [packets.slice(0, 3), [], packets.slice(3, 4), packets.slice(4)];
    expect((await joined([{ files }])).bytes).toEqual(captureFile(packets));
  });

  test('end with the last whole record of each, wherever it was cut', async () => {
    const packets = [packet(0), packet(1), packet(500_000), packet(500_001)];
    for (let cutBytes = 1; cutBytes <= 16 + 20; cutBytes += 1) {
      const { bytes } = await joined([
        { files: [packets.slice(0, 2)], cutBytes },
        { files: [packets.slice(2)], cutBytes },
      ]);
      expect(bytes).toEqual(captureFile([packet(0), packet(500_000)]));
    }
  });

  test('keep their order, older source first, though the clock was set back between them', async () => {
    const sources = [
      { files: [[packet(900_000), packet(900_001)]] },
      { files: [[packet(0), packet(1), packet(899_999)]] },
    ];
    const { bytes } = await joined(sources);
    expect(bytes).toEqual(captureFile(sources.flatMap(({ files }) => files.flat())));
  });

  test('of several interfaces are ordered by time, and those of each keep their order', async () => {
    const eth0 = { files: [[packet(0), packet(100), packet(101)], [packet(500)]] };
    // Its clock was set back in between.
    const later = { files: [[packet(300), packet(700)]] };
    const lo = { files: [[packet(50), packet(400), packet(600)]], interfaceName: 'lo', place: 'lo' };
    const { bytes, overlap } = await joined([eth0, lo, later]);
    expect(overlap.packets).toBe(0);
    expect(bytes).toEqual(captureFile([0, 50, 100, 101, 400, 500, 300, 600, 700].map(packet)));
  });

  test('of several interfaces have the packets of each once, though both captures of each overlap', async () => {
    const times = Array.from({ length: 20 }, (_, i) => 10 * i);
    const of = (name: string, offset: number, from: number, to: number) => ({
      files: [times.slice(from, to).map((us) => packet(us + offset))],
      interfaceName: name,
      place: name,
    });
    const sources = [of('eth0', 0, 0, 12), of('lo', 5, 0, 15), of('eth0', 0, 8, 20), of('lo', 5, 10, 20)];
    const { bytes, overlap } = await joined(sources);
    expect(overlap.packets).toBe(4 + 5);
    expect(bytes).toEqual(captureFile(times.flatMap((us) => [packet(us), packet(us + 5)])));
  });

  test('can have records larger than a chunk', async () => {
    const packets = [20, 262_144, 1, 262_144, 70_000, 100].map((length, i) => ({
      timeUs: start + i,
      data: Buffer.alloc(length, i),
    }));
    const { bytes } = await joined([{ files: [packets.slice(0, 3), packets.slice(3)] }]);
    expect(bytes).toEqual(captureFile(packets));
  });

  test('have nanoseconds if one of them has, whatever its byte order is', async () => {
    const first: PcapHeader = { ...microseconds, snaplen: 96 };
    const second: PcapHeader = { ...microseconds, byteOrder: 'big', resolution: 'ns', snaplen: 128 };
    const packets = [packet(0), packet(500_000)];
    const sources = [first, second].map((header, i) => ({ header, files: [packets.slice(i, i + 1)] }));
    const header: PcapHeader = { ...microseconds, resolution: 'ns' };
    expect((await joined(sources)).bytes).toEqual(captureFile(packets, header));
    // The packet of the last source is also in the first.
    const overlapping = [
      { header: second, files: [packets] },
      { header: first, files: [packets.slice(1)] },
    ];
    expect((await joined(overlapping)).bytes).toEqual(captureFile(packets, header));
  });

  test('end at a damaged record in a file, and report its offset', async () => {
    const zeros = { timeUs: 0, data: Buffer.alloc(0) };
    const { bytes, damages } = await joined([{ files: [[packet(0), zeros], [packet(2)]] }]);
    expect(bytes).toEqual(captureFile([packet(0), packet(2)]));
    expect(damages).toEqual([expect.stringMatching(/0\.pcap0 has no packet record at byte 60$/)]);
  });
});

function packet(us: number): TestPacket {
  return { timeUs: start + us, data: Buffer.from(`packet ${us}`.padEnd(20, '.')) };
}
