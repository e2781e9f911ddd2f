import { expect, test } from 'vitest';
import type { DecodedPacket } from '../decode/decoded-packet.ts';
import { conversationSides, type Side } from './conversation-sides.ts';

const web = '10.0.0.1';
const db = '10.0.0.2';
const outside = '192.0.2.7';
const syn = 2;
const synAck = 18;
const ack = 16;

test('a packet is captured at the end of the client or of the server', () => {
  const sideAt = between(web, db);
  for (const packet of [tcp(web, db, syn), tcp(db, web, synAck), tcp(web, db, ack), tcp(db, web, ack)])
    expect([sideAt(packet, web), sideAt(packet, db)]).toEqual(['client', 'server']);
});

test('who opened a connection decides, whatever its ports are', () => {
  const sideAt = between(web, db);
  expect(sideAt(tcp(web, db, syn, [80, 50_000]), web)).toBe('client');
  expect(sideAt(tcp(db, web, ack, [50_000, 80]), db)).toBe('server');
});

test('a SYN-ACK shows who opened a connection as well, and a new connection of the same ports counts anew', () => {
  const sideAt = between(web, db);
  expect(sideAt(tcp(db, web, synAck, [50_000, 80]), web)).toBe('client');
  expect(sideAt(tcp(db, web, syn, [50_000, 80]), web)).toBe('server');
  expect(sideAt(tcp(web, db, ack, [80, 50_000]), db)).toBe('client');
});

test('where the start of a connection was not captured, and for UDP, the client is who uses the higher port', () => {
  const sideAt = between(web, db);
  for (const make of [tcp, udp])
    for (const packet of [make(db, web, ack, [5432, 40_000]), make(web, db, ack, [40_000, 5432])])
      expect([sideAt(packet, web), sideAt(packet, db)]).toEqual(['client', 'server']);
});

test('of equal ports, the client is who sent the first packet', () => {
  const sideAt = between(web, db);
  expect(sideAt(udp(db, web, 0, [123, 123]), db)).toBe('client');
  expect(sideAt(udp(web, db, 0, [123, 123]), web)).toBe('server');
});

test('fragments without ports are of the side of the first fragment', () => {
  const { addOwner, sideOf } = conversationSides('server');
  for (const address of [web, db]) addOwner(new Set([address]));
  const sideAt = (packet: DecodedPacket) => sideOf(packet, new Set([db]), 'ID 7');
  expect(sideAt(udp(db, web, 0, [53_000, 9_000]))).toBe('client');
  const next = { ...udp(db, web, 0), sourcePort: undefined, destinationPort: undefined };
  expect(sideAt(next)).toBe('client');
  expect(sideAt({ ...next, source: web, destination: db })).toBe('client');
});

test('a conversation that goes on is not forgotten, whenever it was opened', () => {
  const sideAt = between(web, db, 2);
  expect(sideAt(tcp(web, db, syn, [80, 50_000]), web)).toBe('client');
  for (let port = 1; port < 10; port += 1) {
    sideAt(udp(web, db, 0, [port, 2_000]), web);
    expect(sideAt(tcp(web, db, ack, [80, 50_000]), web)).toBe('client');
  }
});

test('what only the end that is left out captured, and packets without addresses, of a Pod with itself, and of others have no side', () => {
  const sideAt = between(web, db);
  expect(sideAt(tcp(web, outside, syn), web)).toBeUndefined();
  expect(sideAt({ ...tcp(web, db, syn), source: undefined, destination: undefined }, web)).toBeUndefined();
  expect(sideAt(tcp(db, db, syn), db)).toBeUndefined();
  expect(sideAt(tcp(web, outside, syn), db)).toBeUndefined();
});

/** At which end a packet is captured by who has an address. */
function between(
  a: string,
  b: string,
  conversations?: number,
): (packet: DecodedPacket, own: string) => Side | undefined {
  const { addOwner, sideOf } = conversationSides('server', conversations);
  for (const address of [a, b]) addOwner(new Set([address]));
  return (packet, own) => sideOf(packet, new Set([own]), undefined);
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
