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
  psh,
  serverHello,
  syn,
  type TcpSegment,
  tcp,
  u16,
  udp,
} from '../../src/pcap/testing/build-packets.ts';

/**
 * What a Pod of a web application sends and receives, as Ethernet frames: so many times a DNS query, two connections
 * (HTTP and TLS) with about as many acknowledgments as segments of data, some datagrams, and sometimes ARP and ping. They
 * are with 250 clients: with thousands, tcpdump spends most of its time in the list of their addresses. Runs in a browser
 * too.
 */
export function packetMix(conversations: number): readonly Uint8Array[] {
  return Array.from({ length: conversations }, (_, index) => conversationsOf(index)).flat();
}

function conversationsOf(index: number): readonly Uint8Array[] {
  const client = [10, 1, 0, 1 + (index % clients)];
  const port = 20_000 + ((2 * index) % 40_000);
  return [
    ...nameLookup(client, port),
    ...connection(client, { from: port, to: 8_080 }, httpRequest, httpResponse),
    ...connection(
      client,
      { from: port + 1, to: 443 },
      hello,
      serverHello(0x1301, [[43, Uint8Array.of(3, 4)]]),
    ),
    ...[100, 300, 900].map((size) =>
      datagram(client, server, { from: port, to: 6_000 }, new Uint8Array(size)),
    ),
    ...(index % 10 === 0 ? [arp, ping(client)] : []),
  ];
}

const clients = 250;
const server = [10, 0, 0, 2];
const resolver = [10, 0, 0, 10];
const segmentBytes = 1_400;
const synOptions = [2, 4, 5, 0xb4, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 1, 3, 3, 7];
const timestamps = [1, 1, 8, 10, 0, 0, 1, 1, 0, 0, 1, 0];
const httpRequest = ascii('GET /products/1234?page=2 HTTP/1.1\r\nHost: web.shop.svc\r\nAccept: */*\r\n\r\n');
const httpResponse = ascii('HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 7000\r\n\r\n');
const hello = clientHello('api.shop.example', [
  [16, concat(u16(12), [2], ascii('h2'), [8], ascii('http/1.1'))],
  [43, concat([4], u16(0x0304), u16(0x0303))],
]);
const arp = ethernet(
  0x0806,
  concat(u16(1), [8, 0, 6, 4, 0, 1], [2, 0, 0, 0, 0, 1, 10, 0, 0, 1, 0, 0, 0, 0, 0, 0, 10, 0, 0, 2]),
);

type Address = readonly number[];
type Ports = Pick<TcpSegment, 'from' | 'to'>;

function nameLookup(client: Address, port: number): readonly Uint8Array[] {
  const name = dnsName('web.shop.svc.cluster.local');
  const query = dns({ questions: [dnsQuestion(name, 1)] });
  const answers = [dnsAnswer([0xc0, 12], 1, server)];
  const response = dns({ flags: 0x8180, questions: [dnsQuestion(name, 1)], answers });
  return [
    datagram(client, resolver, { from: port, to: 53 }, query),
    datagram(resolver, client, { from: 53, to: port }, response),
  ];
}

/** A handshake, a request, a response with five segments of data that are acknowledged, and the end. */
function connection(
  client: Address,
  { from, to }: Ports,
  request: Uint8Array,
  response: Uint8Array,
): readonly Uint8Array[] {
  let [sent, received] = [1_000, 7_000];
  const out = (flags: number, payload: Uint8Array = new Uint8Array(), options = timestamps) => {
    const segment = { from, to, flags, sequence: sent, acknowledgment: received, options, payload };
    sent += payload.length + ((flags & (syn | fin)) === 0 ? 0 : 1);
    return segmentOf(client, server, segment);
  };
  const back = (flags: number, payload: Uint8Array = new Uint8Array(), options = timestamps) => {
    const segment = { from: to, to: from, flags, sequence: received, acknowledgment: sent, options, payload };
    received += payload.length + ((flags & (syn | fin)) === 0 ? 0 : 1);
    return segmentOf(server, client, segment);
  };
  return [
    out(syn, undefined, synOptions),
    back(syn | ack, undefined, synOptions),
    out(ack),
    out(psh | ack, request),
    back(ack),
    back(psh | ack, response),
    out(ack),
    ...Array.from({ length: 5 }, () => [back(ack, new Uint8Array(segmentBytes)), out(ack)]).flat(),
    out(fin | ack),
    back(fin | ack),
    out(ack),
  ];
}

function segmentOf(source: Address, destination: Address, segment: TcpSegment): Uint8Array {
  return ethernet(0x0800, ipv4({ protocol: 6, payload: tcp(segment), source, destination }));
}

function datagram(source: Address, destination: Address, ports: Ports, payload: Uint8Array): Uint8Array {
  return ethernet(0x0800, ipv4({ protocol: 17, payload: udp(ports, payload), source, destination }));
}

function ping(source: Address): Uint8Array {
  const payload = concat([8, 0, 0, 0, 0, 7, 0, 1], new Uint8Array(56));
  return ethernet(0x0800, ipv4({ protocol: 1, payload, source, destination: server }));
}
