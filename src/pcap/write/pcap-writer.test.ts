import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { microseconds, nanoseconds, type TimeResolution } from '../capture-interface.ts';
import { plainInterface } from '../testing/capture-bytes.ts';
import { packetOf } from '../testing/packet-of.ts';
import { readBytes } from '../testing/read-capture.ts';
import { pcapWriter } from './pcap-writer.ts';

const packets = fc.record({
  time: fc.constant(0n),
  seconds: fc.integer({ min: 1, max: 0xffff_ffff }),
  nanoseconds: fc.nat(999_999_999),
  original: fc.nat(0xffff_ffff),
  data: fc.string({ maxLength: 400, unit: 'binary-ascii' }),
});

const fine: readonly (readonly [TimeResolution, number])[] = [
  [microseconds, 1000],
  [{ base: 10, exponent: 0 }, 1000],
  [nanoseconds, 1],
  [{ base: 10, exponent: 12 }, 1],
  [{ base: 2, exponent: 20 }, 1],
];

test.each(fine)(
  'times of the resolution %j are written in units of %i ns, rounded down',
  async (resolution, unit) => {
    await fc.assert(
      fc.asyncProperty(fc.array(packets, { maxLength: 20 }), async (written) => {
        const writer = pcapWriter();
        writer.addInterface(plainInterface);
        writer.addInterface({ ...plainInterface, resolution });
        for (const packet of written) expect(writer.writePacket(packetOf(packet), 1, 9)).toBeUndefined();
        writer.end([]);
        const read = await readBytes(writer.take());
        const expected = written.map(({ seconds, nanoseconds: rest, original, data }) => {
          return { seconds, nanoseconds: Math.floor(rest / unit) * unit, original, data };
        });
        expect(read.packets).toMatchObject(expected);
        expect(read.interfaces).toMatchObject([{ linkType: 1, snaplen: 262_144 }]);
      }),
      { numRuns: 300 },
    );
  },
);

test.each([
  [1, 'eth0', 276, 'any', 'eth0 has Ethernet (link type 1) and any has Linux cooked v2 (link type 276)'],
  [12, undefined, 999, 'x0', 'one interface has raw IP (link type 12) and x0 has link type 999'],
])('the link types %i and %s differ from %i: the message names both', (first, one, second, other, says) => {
  const writer = pcapWriter();
  expect(writer.addInterface({ ...plainInterface, linkType: first, name: one })).toBe(0);
  expect(writer.addInterface({ ...plainInterface, linkType: second, name: other })).toEqual({
    reason: 'LinkTypesDiffer',
    message: `pcap has one link type for all packets, but ${says}: write pcapng`,
  });
});

test.each([-1, 2 ** 32])('a packet at %i s is not written', async (seconds) => {
  const writer = pcapWriter();
  writer.addInterface(plainInterface);
  const packet = packetOf({ time: 0n, original: 1, data: 'x', seconds });
  expect(writer.writePacket(packet, 0, 0)).toEqual({
    reason: 'TimeOutOfRange',
    message: `pcap has times from 1970 to 2106, but a packet has ${seconds} s since 1970: write pcapng`,
  });
  writer.end([]);
  expect((await readBytes(writer.take())).packets).toEqual([]);
});

test('the length of the frame check sequence is kept if all interfaces have it', async () => {
  for (const [second, expected] of [
    [4, 4],
    [2, undefined],
  ] as const) {
    const writer = pcapWriter();
    writer.addInterface({ ...plainInterface, frameCheckBytes: 4 });
    writer.addInterface({ ...plainInterface, frameCheckBytes: second });
    writer.end([]);
    expect((await readBytes(writer.take())).interfaces[0]?.frameCheckBytes).toBe(expected);
  }
});

const nanosecondInterface = { ...plainInterface, name: 'late', resolution: nanoseconds };

test('an interface with finer times than the header has is refused once the header is written', async () => {
  const writer = pcapWriter();
  writer.addInterface(plainInterface);
  writer.writePacket(packetOf({ time: 0n, original: 1, data: 'x', seconds: 1 }), 0, 0);
  expect(writer.addInterface(nanosecondInterface)).toEqual({
    reason: 'ResolutionTooLate',
    message:
      'the pcap file has times in microseconds, and late, described after its first packet, has finer ones: write pcapng',
  });
  expect(writer.addInterface(plainInterface)).toBe(1);
});

test('a file with nanoseconds takes an interface with any times later', () => {
  const writer = pcapWriter();
  writer.addInterface(nanosecondInterface);
  writer.writePacket(packetOf({ time: 0n, original: 1, data: 'x', seconds: 1 }), 0, 0);
  expect(writer.addInterface({ ...plainInterface, resolution: { base: 10, exponent: 12 } })).toBe(1);
});

test.each([
  [4, 2, 'FrameChecksDiffer'],
  [4, undefined, 'FrameChecksDiffer'],
  [4, 4, undefined],
  [undefined, 4, undefined],
])(
  'with %s bytes of frame check in the header, an interface that has %s later: %s',
  (first, later, reason) => {
    const writer = pcapWriter();
    writer.addInterface({ ...plainInterface, frameCheckBytes: first });
    writer.writePacket(packetOf({ time: 0n, original: 1, data: 'x', seconds: 1 }), 0, 0);
    const added = writer.addInterface({ ...plainInterface, frameCheckBytes: later });
    expect(typeof added === 'number' ? undefined : added.reason).toBe(reason);
  },
);
