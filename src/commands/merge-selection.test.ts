import { expect, test } from 'vitest';
import type { CurrentPacket } from '../pcap/packet-reader.ts';
import { ack, ethernet, ipv4, syn, tcp } from '../pcap/testing/build-packets.ts';
import { plainInterface } from '../pcap/testing/capture-bytes.ts';
import { packetOf } from '../pcap/testing/packet-of.ts';
import { packetSelection } from './merge-selection.ts';
import { scanned } from './testing/scanned-capture.ts';

const web = [10, 0, 0, 1];
const db = [10, 0, 0, 2];
const range = { since: undefined, until: undefined };
const bothEnds = [scanned({ addresses: [['10.0.0.1']] }), scanned({ addresses: [['10.0.0.2']] })];

test('without options, everything is selected', () => {
  const keeps = packetSelection({ ...range, side: undefined, captures: bothEnds, isCapturing: () => true });
  expect(keeps(opening(), 0, plainInterface)).toBe(true);
});

test('only what is in the range of time is selected', () => {
  const since = { seconds: 5, nanoseconds: 0 };
  const keeps = packetSelection({
    since,
    until: undefined,
    side: undefined,
    captures: bothEnds,
    isCapturing: () => true,
  });
  expect([4, 5].map((seconds) => keeps({ ...opening(), seconds }, 0, plainInterface))).toEqual([false, true]);
});

test.each([
  ['client', [true, false]],
  ['server', [false, true]],
] as const)('of both ends, only what the %s captured is selected', (side, expected) => {
  const keeps = packetSelection({ ...range, side, captures: bothEnds, isCapturing: () => true });
  for (const packet of [opening(), answer()])
    expect([keeps(packet, 0, plainInterface), keeps(packet, 1, plainInterface)]).toEqual(expected);
});

test('while one end does not capture, what the other one has is selected', () => {
  let isCapturing = false;
  const keeps = packetSelection({
    ...range,
    side: 'client',
    captures: bothEnds,
    isCapturing: (input) => input === 1 || isCapturing,
  });
  expect(keeps(opening(), 1, plainInterface)).toBe(true);
  isCapturing = true;
  expect(keeps(answer(), 1, plainInterface)).toBe(false);
});

test('what a stream, an interface that was described late, or one of unknown addresses has is selected', () => {
  const captures = [
    scanned({ addresses: undefined }),
    scanned({ addresses: [['10.0.0.2'], []] }),
    scanned({ addresses: [['10.0.0.1']] }),
  ];
  const keeps = packetSelection({ ...range, side: 'client', captures, isCapturing: () => true });
  expect(keeps(opening(), 0, plainInterface)).toBe(true);
  expect(keeps({ ...opening(), interfaceIndex: 1 }, 1, plainInterface)).toBe(true);
  expect(keeps({ ...opening(), interfaceIndex: 2 }, 1, plainInterface)).toBe(true);
  expect(keeps(opening(), 1, plainInterface)).toBe(false);
  const keepsServer = packetSelection({ ...range, side: 'server', captures, isCapturing: () => true });
  expect(keepsServer({ ...opening(), interfaceIndex: 2 }, 1, plainInterface)).toBe(true);
  expect(keepsServer(opening(), 2, plainInterface)).toBe(false);
});

function opening(): CurrentPacket {
  return segment(web, db, { from: 40_000, to: 80, flags: syn });
}

function answer(): CurrentPacket {
  return segment(db, web, { from: 80, to: 40_000, flags: syn | ack });
}

function segment(
  source: readonly number[],
  destination: readonly number[],
  fields: Parameters<typeof tcp>[0],
) {
  const frame = ethernet(0x0800, ipv4({ protocol: 6, payload: tcp(fields), source, destination }));
  return packetOf({ time: 0n, original: frame.length, data: Buffer.from(frame).toString('latin1') });
}
