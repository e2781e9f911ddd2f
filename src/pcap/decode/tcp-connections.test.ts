import { expect, test } from 'vitest';
import {
  ack,
  ascii,
  ethernet,
  fin,
  ipv4,
  psh,
  rst,
  syn,
  type TcpSegment,
  tcp,
} from '../testing/build-packets.ts';
import { decodeAll, packetOf } from '../testing/decode-packets.ts';
import { createDecoder } from './decoder.ts';

type Told = Partial<TcpSegment> & { readonly flags: number; readonly bytes?: number };

/** A segment from the client (10.0.0.1:40000), whose initial sequence number is 5,000. */
function client({ bytes = 0, ...segment }: Told): Uint8Array {
  const payload = tcp({ from: 40_000, to: 80, sequence: 5_000, ...segment, payload: new Uint8Array(bytes) });
  return ethernet(0x0800, ipv4({ protocol: 6, payload }));
}

/** A segment from the server (10.0.0.2:80), whose initial sequence number is 9,000. */
function server({ bytes = 0, ...segment }: Told): Uint8Array {
  const payload = tcp({ from: 80, to: 40_000, sequence: 9_000, ...segment, payload: new Uint8Array(bytes) });
  return ethernet(0x0800, ipv4({ protocol: 6, payload, source: [10, 0, 0, 2], destination: [10, 0, 0, 1] }));
}

function retransmissions(frames: readonly Uint8Array[]): readonly number[] {
  return decodeAll(frames).flatMap(({ tcp: decoded }, i) => (decoded?.isRetransmission ? [i] : []));
}

test('numbers are relative to the first of each direction', () => {
  const packets = decodeAll([
    client({ flags: syn }),
    server({ flags: syn | ack, acknowledgment: 5_001 }),
    client({ flags: ack, sequence: 5_001, acknowledgment: 9_001 }),
    client({ flags: ack | psh, sequence: 5_001, acknowledgment: 9_001, bytes: 100 }),
    server({ flags: ack, sequence: 9_001, acknowledgment: 5_101 }),
    server({ flags: fin | ack, sequence: 9_001, acknowledgment: 5_101 }),
  ]);
  expect(packets.map(({ info }) => info)).toEqual([
    '[SYN] seq=0 win=64240 len=0',
    '[SYN, ACK] seq=0 ack=1 win=64240 len=0',
    '[ACK] seq=1 ack=1 win=64240 len=0',
    '[PSH, ACK] seq=1 ack=1 win=64240 len=100',
    '[ACK] seq=1 ack=101 win=64240 len=0',
    '[FIN, ACK] seq=1 ack=101 win=64240 len=0',
  ]);
});

test('a connection whose start was not captured starts with 1', () => {
  const [first, answer] = decodeAll([
    client({ flags: ack, sequence: 77_000, acknowledgment: 88_000, bytes: 10 }),
    server({ flags: ack, sequence: 88_000, acknowledgment: 77_010, bytes: 5 }),
  ]);
  expect(first?.tcp).toMatchObject({ sequence: 1, acknowledgment: 1 });
  expect(answer?.tcp).toMatchObject({ sequence: 1, acknowledgment: 11 });
});

test('numbers go on after 2^32', () => {
  const frames = [
    client({ flags: syn, sequence: 0xffff_fff0 }),
    client({ flags: ack, sequence: 0xffff_fff1, bytes: 100 }),
    client({ flags: ack, sequence: 85, bytes: 100 }),
    client({ flags: ack, sequence: 0xffff_fff1, bytes: 100 }),
  ];
  expect(decodeAll(frames).map(({ tcp: decoded }) => decoded?.sequence)).toEqual([0, 1, 101, 1]);
  expect(retransmissions(frames)).toEqual([3]);
});

test.each([
  ['data', { flags: ack, sequence: 5_001, bytes: 100 }, true],
  ['a part of the data', { flags: ack, sequence: 5_050, bytes: 10 }, true],
  ['data of which a part is new', { flags: ack, sequence: 5_050, bytes: 100 }, true],
  ['a SYN', { flags: syn }, true],
  ['new data', { flags: ack, sequence: 5_101, bytes: 100 }, false],
  ['an acknowledgment', { flags: ack, sequence: 5_001 }, false],
  ['a keep-alive without data', { flags: ack, sequence: 5_100 }, false],
  ['a keep-alive with a byte', { flags: ack, sequence: 5_100, bytes: 1 }, false],
  ['a reset with an explanation', { flags: rst, sequence: 5_001, bytes: 10 }, false],
])('%s after a SYN and 100 bytes: is it a retransmission?', (_name, segment, isRetransmission) => {
  const before = [client({ flags: syn }), client({ flags: ack, sequence: 5_001, bytes: 100 })];
  expect(retransmissions([...before, client(segment)])).toEqual(isRetransmission ? [2] : []);
});

test('a retransmission and a keep-alive say so in the line', () => {
  const packets = decodeAll([
    client({ flags: ack, sequence: 5_001, bytes: 100 }),
    client({ flags: ack, sequence: 5_001, bytes: 100 }),
    client({ flags: ack, sequence: 5_100, bytes: 1 }),
  ]);
  expect(packets.map(({ info }) => info.slice(info.indexOf('len=')))).toEqual([
    'len=100',
    'len=100 [retransmission]',
    'len=1 [keep-alive]',
  ]);
});

test('a second FIN is a retransmission', () => {
  expect(
    retransmissions([
      client({ flags: ack, sequence: 5_001, bytes: 10 }),
      client({ flags: fin | ack, sequence: 5_011 }),
      client({ flags: fin | ack, sequence: 5_011 }),
    ]),
  ).toEqual([2]);
});

test('what fills a hole was not seen before, however often the hole is split', () => {
  expect(
    retransmissions([
      client({ flags: ack, sequence: 5_001, bytes: 10 }),
      client({ flags: ack, sequence: 5_041, bytes: 10 }),
      client({ flags: ack, sequence: 5_021, bytes: 10 }),
      client({ flags: ack, sequence: 5_031, bytes: 10 }),
      client({ flags: ack, sequence: 5_011, bytes: 10 }),
      client({ flags: ack, sequence: 5_021, bytes: 10 }),
    ]),
  ).toEqual([5]);
});

test('eight holes are known; what fills an older one counts as seen', () => {
  const data = Array.from({ length: 10 }, (_, i) =>
    client({ flags: ack, sequence: 5_001 + i * 20, bytes: 10 }),
  );
  const fills = [11, 31].map((offset) => client({ flags: ack, sequence: 5_000 + offset, bytes: 10 }));
  expect(retransmissions([...data, ...fills])).toEqual([10]);
});

test('the other direction, another interface and ports that are used again are other numbers', () => {
  const data = { flags: ack, sequence: 5_001, bytes: 100 };
  expect(retransmissions([client(data), server(data)])).toEqual([]);
  expect(
    decodeAll([
      client({ flags: syn }),
      server({ flags: syn | ack, acknowledgment: 5_001 }),
      client({ flags: syn, sequence: 2_000 }),
      server({ flags: syn | ack, sequence: 1_000, acknowledgment: 2_001 }),
    ]).map(({ tcp: decoded }) => [decoded?.sequence, decoded?.acknowledgment, decoded?.isRetransmission]),
  ).toEqual([
    [0, 0, false],
    [0, 1, false],
    [0, 0, false],
    [0, 1, false],
  ]);
  const decoder = createDecoder();
  const frame = client(data);
  const marks = [0, 1, 0].map((interfaceIndex) => decoder.decode(packetOf(frame, { interfaceIndex }), 1));
  expect(marks.map(({ tcp: decoded }) => decoded?.isRetransmission)).toEqual([false, false, true]);
});

test('the connections that were used least recently are forgotten', () => {
  const decoder = createDecoder({ connections: 2 });
  const isSeen = (from: number) => {
    const payload = tcp({ from, to: 80, flags: ack, payload: ascii('abc') });
    return decoder.decode(packetOf(ipv4({ protocol: 6, payload })), 101).tcp?.isRetransmission;
  };
  // Two to four are kept: 3 pushes 1 and 2 out of the first two places, and 4 forgets 2, which was not used since.
  expect([1, 2, 3, 1, 4, 1, 2].map(isSeen)).toEqual([false, false, false, true, false, true, false]);
});

test('the length on the wire counts, not what was captured', () => {
  const decoder = createDecoder();
  const first = client({ flags: ack, sequence: 5_001, bytes: 100 });
  const cut = packetOf(first.subarray(0, 60), { originalBytes: first.length });
  expect(decoder.decode(cut, 1).tcp).toMatchObject({ payloadBytes: 100 });
  const next = client({ flags: ack, sequence: 5_101, bytes: 100 });
  expect(decoder.decode(packetOf(next), 1).tcp).toMatchObject({ sequence: 101, isRetransmission: false });
});

test('options of a SYN are shown; a broken one ends them', () => {
  const options = [2, 4, 5, 0xb4, 4, 2, 1, 3, 3, 7, 3, 0];
  expect(decodeAll([client({ flags: syn, options })])[0]?.info).toBe(
    '[SYN] seq=0 win=64240 len=0 mss=1460 sackOK wscale=7',
  );
});

test('a header length that cannot be is malformed', () => {
  const frame = client({ flags: syn });
  for (const [byte, length] of [
    [0x40, 16],
    [0xf0, 60],
  ] as const) {
    frame[46] = byte;
    expect(decodeAll([frame])[0]).toMatchObject({
      sourcePort: 40_000,
      tcp: undefined,
      info: `[SYN] malformed: header of ${length} bytes`,
    });
  }
});
