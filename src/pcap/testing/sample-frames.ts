import {
  ack,
  ascii,
  clientHello,
  concat,
  dns,
  dnsAnswer,
  dnsName,
  dnsQuestion,
  ethernet,
  fin,
  ipv4,
  ipv6,
  psh,
  rst,
  serverHello,
  syn,
  tcp,
  tcpFrame,
  u16,
  u32,
  udp,
  udpFrame,
} from './build-packets.ts';

const options = [2, 4, 5, 0xb4, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 1, 3, 3, 7];
const client = { from: 40_000, to: 8_080 };
const server = { from: 8_080, to: 40_000 };
const answers = [dnsAnswer([0xc0, 12], 1, [10, 0, 0, 9]), dnsAnswer([0xc0, 12], 16, [3, ...ascii('v=1')])];
const response = dns({ flags: 0x8180, questions: [dnsQuestion(dnsName('www.example.com'), 1)], answers });
const query = dns({ questions: [dnsQuestion(dnsName('www.example.com'), 28)] });
const alpn = concat(u16(12), [2], ascii('h2'), [8], ascii('http/1.1'));
const hello = clientHello('web.example', [
  [16, alpn],
  [43, concat([4], u16(0x0304), u16(0x0303))],
]);
const datagram = udp({ from: 5_000, to: 6_000 }, ascii('hello'));
const arp = concat(
  u16(1),
  [8, 0, 6, 4, 0, 1],
  [2, 0, 0, 0, 0, 1, 10, 0, 0, 1, 0, 0, 0, 0, 0, 0, 10, 0, 0, 2],
);
const extensions = concat(
  [43, 0, 1, 4, 0, 0, 0, 0],
  [60, 2, 4, 0, ...new Uint8Array(20)],
  [17, 0, 5, 2, 0, 0, 1, 0],
  datagram,
);
const target = [0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9];
const fragment = { protocol: 17, payload: datagram, hasMore: true };

/** An Ethernet frame of each protocol that is decoded, in an order that makes sense for the TCP connection in them. */
export const sampleFrames: readonly Uint8Array[] = [
  ethernet(0x0806, arp),
  tcpFrame({ ...client, flags: syn, options }),
  tcpFrame({ ...client, flags: syn, options }),
  ethernet(
    0x0800,
    fromServer(tcp({ ...server, flags: syn | ack, sequence: 7_000, acknowledgment: 1_001, options })),
  ),
  tcpFrame({ ...client, flags: ack, sequence: 1_001, acknowledgment: 7_001 }),
  tcpFrame({
    ...client,
    flags: psh | ack,
    sequence: 1_001,
    acknowledgment: 7_001,
    payload: ascii('GET / HTTP/1.1\r\nHost: web\r\n\r\n'),
  }),
  ethernet(
    0x0800,
    fromServer(
      tcp({
        ...server,
        flags: psh | ack,
        sequence: 7_001,
        acknowledgment: 1_030,
        payload: ascii('HTTP/1.1 200 OK\r\nServer: a\r\n\r\n'),
      }),
    ),
  ),
  tcpFrame({ ...client, flags: fin | ack, sequence: 1_030, acknowledgment: 7_031 }),
  ethernet(0x0800, fromServer(tcp({ ...server, flags: rst, sequence: 7_031 }))),
  tcpFrame({ from: 40_001, to: 443, flags: psh | ack, payload: hello }),
  ethernet(
    0x0800,
    fromServer(
      tcp({
        from: 443,
        to: 40_001,
        flags: psh | ack,
        payload: serverHello(0x1301, [[43, Uint8Array.of(3, 4)]]),
      }),
    ),
  ),
  tcpFrame({ from: 40_002, to: 53, flags: psh | ack, payload: concat(u16(query.length), query) }),
  udpFrame({ from: 40_003, to: 53 }, query),
  udpFrame({ from: 53, to: 40_003 }, response),
  udpFrame({ from: 5_353, to: 5_353 }, response),
  udpFrame({ from: 5_000, to: 6_000 }, ascii('hello')),
  ethernet(0x0800, ipv4({ protocol: 17, payload: datagram, options: [148, 4, 0, 0, 1, 1, 1, 0] })),
  ethernet(0x0800, ipv4(fragment)),
  ethernet(0x0800, ipv4({ ...fragment, fragmentOffset: 1_480 })),
  ethernet(0x0800, ipv4({ protocol: 1, payload: Uint8Array.of(8, 0, 0, 0, 0, 7, 0, 1, 1, 2) })),
  ethernet(0x0800, ipv4({ protocol: 132, payload: concat(u16(1), u16(2), new Uint8Array(20)) })),
  ethernet(
    0x0800,
    ipv4({ protocol: 51, payload: concat([17, 4, 0, 0], u32(1), u32(1), new Uint8Array(12), datagram) }),
  ),
  ethernet(0x0800, ipv4({ protocol: 17, payload: datagram }), [{ type: 0x8100, vlan: 7 }]),
  ethernet(0x86dd, ipv6(17, datagram), [
    { type: 0x88a8, vlan: 200 },
    { type: 0x8100, vlan: 7 },
  ]),
  ethernet(0x86dd, ipv6(6, tcp({ ...client, flags: syn, options }))),
  ethernet(0x86dd, ipv6(0, extensions)),
  ethernet(0x86dd, ipv6(44, concat([17, 0], u16(1_480), u32(9), datagram))),
  ethernet(0x86dd, ipv6(58, Uint8Array.of(128, 0, 0, 0, 0, 7, 0, 1))),
  ethernet(0x86dd, ipv6(58, concat([135, 0, 0, 0, 0, 0, 0, 0], target, [1, 1, 2, 0, 0, 0, 0, 1]))),
  ethernet(0x88cc, ascii('abc')),
];

/** A packet of the server, 10.0.0.2. */
function fromServer(payload: Uint8Array): Uint8Array {
  return ipv4({ protocol: 6, payload, source: [10, 0, 0, 2], destination: [10, 0, 0, 1] });
}
