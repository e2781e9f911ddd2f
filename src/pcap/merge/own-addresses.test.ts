import { expect, test } from 'vitest';
import { createDecoder } from '../decode/decoder.ts';
import { openCaptureStream } from '../read/capture-reader.ts';
import { ethernet, ipv4, ipv6, udp } from '../testing/build-packets.ts';
import { captureBytes } from '../testing/capture-bytes.ts';
import { chunksOf } from '../testing/read-capture.ts';
import { ownAddresses } from './own-addresses.ts';

const { header, record, section, interfaceBlock, packet, option } = captureBytes('little');
const web = [10, 0, 0, 1];
const db = [10, 0, 0, 2];

test('the address of nearly every packet is the own one', async () => {
  const records = Array.from({ length: 20 }, (_, peer) => between(web, [10, 0, 1, peer]));
  const broadcast = between(db, [255, 255, 255, 255]);
  expect(await ownOf(header(), ...records, broadcast)).toEqual([own('10.0.0.1')]);
});

test('of two addresses that every packet has, it is not known which is the own one', async () => {
  const [there, back] = [between(web, db), between(db, web)];
  expect(await ownOf(header(), there, back, there)).toEqual([
    { addresses: new Set(), candidates: ['10.0.0.1', '10.0.0.2'] },
  ]);
});

test('no address is the own one where many pass', async () => {
  const records = Array.from({ length: 9 }, (_, at) => between([10, 0, 2, at], [10, 0, 1, at]));
  expect(await ownOf(header(), ...records)).toEqual([own()]);
});

test('IPv4 and IPv6 are looked at separately', async () => {
  const six = record({
    data: Buffer.from(ethernet(0x86dd, ipv6(17, udp({ from: 1, to: 2 }, new Uint8Array())))),
  });
  const four = [db, [10, 0, 0, 3], [10, 0, 0, 4]].map((peer) => between(web, peer));
  expect(await ownOf(header(), six, ...four)).toEqual([
    { addresses: new Set(['10.0.0.1']), candidates: ['2001:db8::1', '2001:db8::2'] },
  ]);
});

test('what the capture says of an interface is believed, whatever its packets have', async () => {
  const described = (address: number) =>
    interfaceBlock({ options: option(4, Buffer.from([10, 9, 9, address, 255, 255, 255, 255])) });
  const frame = Buffer.from(frameOf(web, db));
  expect(
    await ownOf(
      section(),
      described(1),
      interfaceBlock(),
      described(2),
      packet({ data: frame }),
      packet({ id: 1, data: frame }),
    ),
  ).toEqual([
    own('10.9.9.1'),
    { addresses: new Set(), candidates: ['10.0.0.1', '10.0.0.2'] },
    own('10.9.9.2'),
  ]);
});

test('only the start of a capture is read', async () => {
  const start = Array.from({ length: 1_000 }, (_, at) => between(web, [10, 1, at >> 8, at & 255]));
  const rest = Array.from({ length: 1_000 }, () => between(db, [10, 0, 0, 3]));
  expect(await ownOf(header(), ...start, ...rest)).toEqual([own('10.0.0.1')]);
});

test('a capture without IP says nothing', async () => {
  expect(await ownOf(header(), record({ data: Buffer.from(ethernet(0x88cc, Uint8Array.of(1))) }))).toEqual([
    own(),
  ]);
});

async function ownOf(...parts: readonly Uint8Array[]) {
  const opened = await openCaptureStream(chunksOf(Buffer.concat(parts), 65_536), { name: 'capture' });
  if (opened.kind !== 'capture') throw new Error(opened.message);
  await using reader = opened.reader;
  expect(await reader.next()).toBe(true);
  return await ownAddresses(reader, createDecoder());
}

function own(...addresses: readonly string[]) {
  return { addresses: new Set(addresses), candidates: [] };
}

function between(source: readonly number[], destination: readonly number[]): Buffer {
  return record({ data: Buffer.from(frameOf(source, destination)) });
}

function frameOf(source: readonly number[], destination: readonly number[]): Uint8Array {
  const payload = udp({ from: 5_000, to: 6_000 }, new Uint8Array(4));
  return ethernet(0x0800, ipv4({ protocol: 17, payload, source, destination }));
}
