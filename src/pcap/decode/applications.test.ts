import { expect, test } from 'vitest';
import {
  ack,
  ascii,
  clientHello,
  concat,
  dns,
  dnsAnswer,
  dnsName,
  dnsQuestion,
  psh,
  serverHello,
  tcpFrame,
  u16,
  udpFrame,
} from '../testing/build-packets.ts';
import { decodeOne } from '../testing/decode-packets.ts';

const name = dnsName('www.example.com');
const toTheQuestion = [0xc0, 12];

function overDns(message: Uint8Array, port = 53) {
  return decodeOne(udpFrame({ from: 40_000, to: port }, message));
}

function overTcp(payload: Uint8Array, to = 8_080) {
  return decodeOne(tcpFrame({ from: 40_000, to, flags: psh | ack, payload }));
}

test.each([
  ['a query', dns({ questions: [dnsQuestion(name, 1)] }), 'query 0x1234 A www.example.com'],
  [
    'a response with pointers',
    dns({
      flags: 0x8180,
      questions: [dnsQuestion(name, 28)],
      answers: [
        dnsAnswer(toTheQuestion, 5, [3, ...ascii('web'), 0xc0, 16]),
        dnsAnswer([0xc0, 45], 28, [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]),
      ],
    }),
    'response 0x1234 AAAA www.example.com: 2 answers, CNAME web.example.com, AAAA 2001:db8::1',
  ],
  [
    'an error',
    dns({ flags: 0x8183, questions: [dnsQuestion(name, 1)] }),
    'response 0x1234 A www.example.com NXDOMAIN',
  ],
  [
    'more answers than a line has place for',
    dns({
      flags: 0x8180,
      questions: [dnsQuestion(name, 1)],
      answers: [1, 2, 3, 4].map((i) => dnsAnswer(toTheQuestion, 1, [10, 0, 0, i])),
    }),
    'response 0x1234 A www.example.com: 4 answers, A 10.0.0.1, A 10.0.0.2, A 10.0.0.3',
  ],
  [
    'other records',
    dns({
      flags: 0x8180,
      answers: [
        dnsAnswer([0], 33, [0, 1, 0, 2, 0x1f, 0x90, ...dnsName('a.b')]),
        dnsAnswer([0], 15, [0, 10, ...dnsName('mail')]),
        dnsAnswer([0], 16, [3, ...ascii('v=1')]),
      ],
    }),
    'response 0x1234: 3 answers, SRV a.b:8080, MX 10 mail, TXT "v=1"',
  ],
  ['the root', dns({ questions: [dnsQuestion([0], 2)] }), 'query 0x1234 NS .'],
  [
    'an unknown type and opcode',
    dns({ flags: 0x7800, questions: [dnsQuestion([0], 999)] }),
    'opcode 15 query 0x1234 TYPE999 .',
  ],
  [
    'a dot in a label',
    dns({ questions: [dnsQuestion([3, ...ascii('a.b'), 0], 1)] }),
    String.raw`query 0x1234 A a\.b`,
  ],
])('DNS: %s', (_name, message, info) => {
  expect(overDns(message)).toMatchObject({ protocols: ['ethernet', 'ipv4', 'udp', 'dns'], info });
  expect(overDns(message, 5_353)).toMatchObject({ info });
  const framed = overTcp(concat(u16(message.length), message), 53);
  expect(framed).toMatchObject({ protocols: ['ethernet', 'ipv4', 'tcp', 'dns'], info });
});

test.each([
  ['to itself', toTheQuestion, '…'],
  ['forward', [0xc0, 40], '…'],
  ['to a name that points back', [1, 0x61, 0xc0, 12], 'a…'],
  ['outside the message', [0xff, 0xff], '…'],
])('a pointer %s ends the name', (_name, bytes, shown) => {
  expect(overDns(dns({ questions: [dnsQuestion(bytes, 1)] })).info).toBe(`query 0x1234 A ${shown}`);
});

test('a name is cut off where its message is', () => {
  const message = dns({ questions: [dnsQuestion(name, 1)] });
  expect(overDns(message.subarray(0, 20)).info).toBe('query 0x1234 question cut off');
  expect(overDns(message.subarray(0, 5)).info).toBe('DNS header is cut off');
  expect(overTcp(concat(u16(message.length), message).subarray(0, 10), 53).protocols).toEqual([
    'ethernet',
    'ipv4',
    'tcp',
  ]);
});

test('texts of a packet cannot act on a terminal', () => {
  const label = ascii('\u001b[2J\u202e');
  const message = dns({ questions: [dnsQuestion([label.length, ...label, 0], 1)] });
  const shown = String.raw`\u001b[2J\u202e`;
  expect(overDns(message).info).toBe(`query 0x1234 A ${shown}`);
  expect(overTcp(ascii('GET /\u001b HTTP/1.1\r\n')).info).toBe(String.raw`GET /\u001b HTTP/1.1`);
  expect(overTcp(ascii('GET /\u001b[2J\u202e HTTP/1.1\r\n')).info).toBe(`GET /${shown} HTTP/1.1`);
  expect(overTcp(clientHello('\u001b[2J\u202e')).info).toBe(`ClientHello server=${shown} versions=1.2`);
  expect(overTcp(concat(ascii('GET /'), [0xff, 0xfe], ascii(' HTTP/1.1\r\n'))).info).toBe(
    'GET /\ufffd\ufffd HTTP/1.1',
  );
});

test.each([
  ['GET /index.html HTTP/1.1\r\nHost: web\r\n\r\n', 'GET /index.html HTTP/1.1'],
  ['PROPFIND * HTTP/1.0\n\n', 'PROPFIND * HTTP/1.0'],
  ['VERSION-CONTROL /a HTTP/1.1\r\n', 'VERSION-CONTROL /a HTTP/1.1'],
  ['CONNECT web:443 HTTP/1.1\r\n', 'CONNECT web:443 HTTP/1.1'],
  ['HTTP/1.1 404 Not Found\r\n\r\n', 'HTTP/1.1 404 Not Found'],
  ['POST /a-path-that-goes-on', 'POST /a-path-that-goes-on'],
  ['PROPFIND /a-path-that-goes-on', 'PROPFIND /a-path-that-goes-on'],
])('%j is HTTP on any port', (text, info) => {
  expect(overTcp(ascii(text))).toMatchObject({ protocols: ['ethernet', 'ipv4', 'tcp', 'http'], info });
});

test.each([
  'MAIL FROM:<a@b>\r\n',
  'GET the book\r\n',
  'GET the book, whose line goes on',
  'get / HTTP/1.1\r\n',
  'HTTP/2 is another',
  'PRI * HTTP/2.0\r\n\r\n',
  'GET',
  'SET /key value\r\n',
  'SET /key value that goes on',
  'INFO /x and more',
  'GETSET /key value',
])('%j is not HTTP/1', (text) => {
  expect(overTcp(ascii(text)).protocols).toEqual(['ethernet', 'ipv4', 'tcp']);
});

test('what a line says is cut after 200 characters', () => {
  const long = dnsName(['a', 'b', 'c', 'd'].map((letter) => letter.repeat(60)).join('.'));
  const { info } = overDns(dns({ questions: [dnsQuestion(long, 1)] }));
  expect(info).toHaveLength(200);
  expect(info).toMatch(/c\.d…$/);
});

test('a long line is cut, and the packet still says how it was captured', () => {
  const { info } = decodeOne(
    tcpFrame({ from: 1, to: 2, flags: ack, payload: ascii(`GET /${'x'.repeat(1_000)}`) }),
    1,
    { originalBytes: 2_000 },
  );
  expect(info).toMatch(/^GET \/x{154}… \[1059 of 2000 bytes captured\]$/);
});

const alpn = concat(u16(12), [2], ascii('h2'), [8], ascii('http/1.1'));
const offered = concat([6], u16(0x1a1a), u16(0x0304), u16(0x0303));

test.each([
  [
    'a ClientHello',
    clientHello('web.example', [
      [16, alpn],
      [43, offered],
    ]),
    'ClientHello server=web.example alpn=h2,http/1.1 versions=1.3,1.2',
  ],
  [
    'a ServerHello of 1.3',
    serverHello(0x1301, [[43, Uint8Array.of(3, 4)]]),
    'ServerHello version=1.3 cipher=TLS_AES_128_GCM_SHA256',
  ],
  ['a ServerHello with an unknown cipher', serverHello(0x1234), 'ServerHello version=1.2 cipher=0x1234'],
  ['application data', concat([23, 3, 3, 0, 4], [1, 2, 3, 4]), 'ApplicationData'],
  ['an alert', Uint8Array.of(21, 3, 3, 0, 2, 2, 40), 'Alert handshake_failure'],
  ['a heartbeat', concat([23, 3, 3, 0, 1, 0], [24, 3, 3, 0, 1, 0]), 'ApplicationData, Heartbeat'],
  [
    'an encrypted message whose nonce starts with zeros',
    concat([20, 3, 3, 0, 1, 1, 22, 3, 3, 0, 40], new Uint8Array(8), new Uint8Array(32).fill(0xa7)),
    'ChangeCipherSpec, Handshake (encrypted)',
  ],
  ['a request for a handshake', concat([22, 3, 3, 0, 4, 0, 0, 0, 0]), 'HelloRequest'],
  ['an encrypted alert', concat([21, 3, 3, 0, 26], new Uint8Array(26)), 'Alert (encrypted)'],
  [
    'several records',
    concat([20, 3, 3, 0, 1, 1], [22, 3, 3, 0, 4, 0xde, 0xad, 0xbe, 0xef], [23, 3, 3, 0, 1, 0]),
    'ChangeCipherSpec, Handshake (encrypted), ApplicationData',
  ],
])('TLS: %s', (_name, payload, info) => {
  expect(overTcp(payload)).toMatchObject({ protocols: ['ethernet', 'ipv4', 'tcp', 'tls'], info });
});

test('a ClientHello that goes on in the next segment says what is in the first', () => {
  const hello = clientHello('web.example', [
    [21, new Uint8Array(2_000)],
    [16, alpn],
  ]);
  expect(overTcp(hello.subarray(0, 1_400)).info).toBe('ClientHello server=web.example versions=1.2');
});

test.each([
  ['SSL 2', [0x80, 0x2e, 1, 3, 1]],
  ['an empty record', [22, 3, 3, 0, 0]],
  ['a record that is too long', [23, 3, 3, 0x50, 0]],
  ['a heartbeat alone', [24, 3, 3, 0, 1, 1]],
  ['four bytes', [22, 3, 3, 0]],
])('%s is not TLS', (_name, bytes) => {
  expect(overTcp(Uint8Array.from(bytes)).protocols).toEqual(['ethernet', 'ipv4', 'tcp']);
});
