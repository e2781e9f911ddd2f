import { expect, test } from 'vitest';
import type { DecodedPacket } from '../decode/decoded-packet.ts';
import { type CapturePoint, conversationSides, type Side } from './conversation-sides.ts';

const web = '10.0.0.1';
const db = '10.0.0.2';
const outside = '192.0.2.7';
const syn = 2;
const synAck = 18;
const ack = 16;

test.each<[Side, number]>([
  ['client', 0],
  ['server', 1],
])('of a connection of which both ends are captured, only what the %s captured is kept', (side, point) => {
  const keeps = conversationSides(side, [at(web), at(db)]);
  const packets = [tcp(web, db, syn), tcp(db, web, synAck), tcp(web, db, ack), tcp(db, web, ack)];
  for (const packet of packets)
    expect([keeps(packet, 0), keeps(packet, 1)]).toEqual([point === 0, point === 1]);
});

test('who opened a connection decides, whatever its ports are', () => {
  const keeps = conversationSides('client', [at(web), at(db)]);
  const opened = tcp(web, db, syn, [80, 50_000]);
  expect([keeps(opened, 0), keeps(opened, 1)]).toEqual([true, false]);
  const answered = tcp(db, web, ack, [50_000, 80]);
  expect([keeps(answered, 0), keeps(answered, 1)]).toEqual([true, false]);
});

test('a SYN-ACK shows who opened a connection as well, and a new connection of the same ports counts anew', () => {
  const keeps = conversationSides('client', [at(web), at(db)]);
  expect(keeps(tcp(db, web, synAck, [50_000, 80]), 0)).toBe(true);
  expect(keeps(tcp(db, web, syn, [50_000, 80]), 0)).toBe(false);
  expect(keeps(tcp(web, db, ack, [80, 50_000]), 1)).toBe(true);
});

test('where the start of a connection was not captured, and for UDP, the client is who uses the higher port', () => {
  const keeps = conversationSides('client', [at(web), at(db)]);
  for (const make of [tcp, udp])
    for (const packet of [make(db, web, ack, [5432, 40_000]), make(web, db, ack, [40_000, 5432])])
      expect([keeps(packet, 0), keeps(packet, 1)]).toEqual([true, false]);
});

test('of equal ports, the client is who sent the first packet', () => {
  const keeps = conversationSides('client', [at(web), at(db)]);
  expect(keeps(udp(db, web, 0, [123, 123]), 1)).toBe(true);
  expect(keeps(udp(web, db, 0, [123, 123]), 0)).toBe(false);
});

test('what only one end captured is kept, whichever side it is', () => {
  for (const side of ['client', 'server'] as const) {
    const keeps = conversationSides(side, [at(web), at(db)]);
    expect(keeps(tcp(outside, web, syn), 0)).toBe(true);
    expect(keeps(tcp(db, outside, syn), 1)).toBe(true);
  }
});

test('while the other end captures nothing, what this end captured is kept', () => {
  let isCapturing = false;
  const keeps = conversationSides('client', [{ ...at(web), isCapturing: () => isCapturing }, at(db)]);
  expect(keeps(tcp(web, db, syn), 1)).toBe(true);
  isCapturing = true;
  expect(keeps(tcp(web, db, ack), 1)).toBe(false);
});

test('packets without addresses, of a Pod with itself, and of others are kept', () => {
  const keeps = conversationSides('client', [at(web), at(db)]);
  expect(keeps({ ...tcp(web, db, syn), source: undefined, destination: undefined }, 1)).toBe(true);
  expect(keeps(tcp(db, db, syn), 1)).toBe(true);
  expect(keeps(tcp(web, outside, syn), 1)).toBe(true);
});

test('a Pod that is captured in several files counts as captured as long as one of them has packets', () => {
  const keeps = conversationSides('client', [{ ...at(web), isCapturing: () => false }, at(web), at(db)]);
  expect(keeps(tcp(web, db, syn), 2)).toBe(false);
});

function at(...addresses: readonly string[]): CapturePoint {
  return { addresses: new Set(addresses), isCapturing: () => true };
}

function tcp(
  source: string,
  destination: string,
  flags: number,
  [sourcePort, destinationPort] = [40_000, 80],
): DecodedPacket {
  const state = { sequence: 0, acknowledgment: 0, payloadBytes: 0, isRetransmission: false };
  return {
    protocols: ['ethernet', 'ipv4', 'tcp'],
    source,
    destination,
    sourcePort,
    destinationPort,
    vlans: [],
    tcp: { flags, ...state },
    payload: { from: 0, to: 0 },
    info: '',
  };
}

function udp(...args: Parameters<typeof tcp>): DecodedPacket {
  return { ...tcp(...args), protocols: ['ethernet', 'ipv4', 'udp'], tcp: undefined };
}
