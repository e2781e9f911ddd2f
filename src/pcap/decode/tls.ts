import type { ByteSpan, Field } from './decoded-packet.ts';
import { decimal, field, type HeaderField, headerFields } from './fields.ts';
import { u8, u16, u24 } from './network-bytes.ts';
import { packetText } from './packet-text.ts';
import { type Hello, helloAt } from './tls-hello.ts';
import { alertNames, cipherName, handshakeNames, isGrease, versionName } from './tls-names.ts';
import type { Walk } from './walk.ts';

/** RFC 8446, section 5.1. */
const header: readonly HeaderField[] = [
  ['Content type', 0, 1, decimal],
  ['Version', 1, 2, (bytes, at) => versionName(u16(bytes, at))],
  ['Length', 3, 2, decimal],
];

/** Of TLS 1.2, RFC 5246, section 6.2.3: what encryption may add is in it. */
const maxRecordBytes = 16_384 + 2_048;

const maxRecords = 8;
const maxMessages = 8;

const changeCipherSpec = 20;
const alert = 21;
const handshake = 22;
const applicationData = 23;
const heartbeat = 24;

const helloRequest = 0;
const encryptedHandshake = 'Handshake (encrypted)';

/** Reads the records of TLS that start in the data, and returns true; false if the data do not start with one. */
export function readTls(walk: Walk, at: number): boolean {
  // Data that only look like TLS start with 24 more often than a heartbeat comes alone.
  if (!isRecord(walk, at) || u8(walk.bytes, at) === heartbeat) return false;
  walk.protocols.push('tls');
  walk.info = '';
  let from = at;
  for (let count = 0; count < maxRecords && isRecord(walk, from); count += 1) {
    const to = from + 5 + u16(walk.bytes, from + 3);
    const text = recordText(walk, { from, to });
    walk.info += walk.info === '' ? text : `, ${text}`;
    walk.layers?.push(recordField(walk, { from, to }, text));
    from = to;
  }
  return true;
}

function isRecord({ bytes, end }: Walk, at: number): boolean {
  if (at + 5 > end) return false;
  const type = u8(bytes, at);
  const length = u16(bytes, at + 3);
  const isKnown =
    type >= changeCipherSpec && type <= heartbeat && u8(bytes, at + 1) === 3 && u8(bytes, at + 2) <= 4;
  return isKnown && length > 0 && length <= maxRecordBytes;
}

function recordText(walk: Walk, { from, to }: ByteSpan): string {
  switch (u8(walk.bytes, from)) {
    case changeCipherSpec:
      return 'ChangeCipherSpec';
    case alert:
      return alertText(walk, from, to);
    case handshake:
      return handshakeText(walk, from + 5, to);
    case applicationData:
      return 'ApplicationData';
    default:
      return 'Heartbeat';
  }
}

/** Level and description; encrypted, it is longer. */
function alertText({ bytes, end }: Walk, from: number, to: number): string {
  if (to - from !== 7 || to > end) return 'Alert (encrypted)';
  const description = u8(bytes, from + 6);
  return `Alert ${alertNames.get(description) ?? description}`;
}

/** The messages of a record: a type, a length of three bytes, and data each. */
function handshakeText(walk: Walk, from: number, recordTo: number): string {
  const to = Math.min(recordTo, walk.end);
  // It comes alone; what looks like several starts with the nonce of an encrypted message.
  if (u8(walk.bytes, from) === helloRequest && recordTo - from > 4) return encryptedHandshake;
  let text = '';
  let at = from;
  for (let count = 0; count < maxMessages && at + 4 <= to; count += 1) {
    const name = handshakeNames.get(u8(walk.bytes, at));
    const end = at + 4 + u24(walk.bytes, at + 1);
    // Encrypted bytes look like anything; a message that goes on in the next record is one of the long ones.
    if (name === undefined || (end > recordTo && count === 0 && end - at > 0x2_0000)) break;
    const said = helloText(walk, { from: at, to: Math.min(end, to) });
    text += `${text === '' ? '' : ', '}${name}${said}`;
    at = end;
  }
  return text === '' ? encryptedHandshake : text;
}

/** What a hello says: ` server=example.com alpn=h2,http/1.1 versions=1.3,1.2`. Empty for another message. */
function helloText({ bytes }: Walk, message: ByteSpan): string {
  const hello = helloIn(bytes, message);
  if (hello === undefined) return '';
  const offered = offeredVersions(bytes, hello).map(versionName).join(',');
  const alpn = hello.alpn.map((span) => packetText(bytes, { ...span, maxChars: 20 })).join(',');
  const alpnText = alpn === '' ? '' : ` alpn=${alpn}`;
  if (u8(bytes, message.from) === 2) {
    const cipher = hello.cipher === undefined ? '' : ` cipher=${cipherName(u16(bytes, hello.cipher))}`;
    return ` version=${offered}${cipher}${alpnText}`;
  }
  const name = hello.serverName && packetText(bytes, { ...hello.serverName, maxChars: 100 });
  return `${name === undefined ? '' : ` server=${name}`}${alpnText} versions=${offered}`;
}

function helloIn(bytes: Uint8Array, { from, to }: ByteSpan): Hello | undefined {
  const type = u8(bytes, from);
  if (type !== 1 && type !== 2) return undefined;
  return helloAt(bytes, { from: from + 4, to }, type === 1 ? 'client' : 'server');
}

/** Those of the extension; without it, the one of the version field. */
function offeredVersions(bytes: Uint8Array, { version, versions }: Hello): readonly number[] {
  const listed = versions.map((at) => u16(bytes, at)).filter((value) => !isGrease(value));
  return listed.length > 0 ? listed : [u16(bytes, version)];
}

function recordField(walk: Walk, { from, to }: ByteSpan, value: string): Field {
  const hello = isHelloRecord(walk, from)
    ? helloIn(walk.bytes, { from: from + 5, to: Math.min(to, walk.end) })
    : undefined;
  return field(walk, { name: 'TLS record', value, from, to }, [
    ...headerFields(walk, from, header),
    ...(hello === undefined ? [] : helloFields(walk, hello)),
  ]);
}

function isHelloRecord({ bytes, end }: Walk, at: number): boolean {
  return u8(bytes, at) === handshake && at + 9 <= end;
}

function helloFields(walk: Walk, hello: Hello): readonly Field[] {
  const { bytes } = walk;
  const names = hello.serverName === undefined ? [] : [{ name: 'Server name', ...hello.serverName }];
  const protocols = hello.alpn.map((span) => ({ name: 'ALPN protocol', ...span }));
  const versions = [hello.version, ...hello.versions].map((from) => ({
    name: 'TLS version',
    value: versionName(u16(bytes, from)),
    from,
    to: from + 2,
  }));
  const ciphers =
    hello.cipher === undefined
      ? []
      : [
          {
            name: 'Cipher suite',
            value: cipherName(u16(bytes, hello.cipher)),
            from: hello.cipher,
            to: hello.cipher + 2,
          },
        ];
  const texts = [...names, ...protocols].map((line) => ({
    ...line,
    value: packetText(bytes, { ...line, maxChars: 100 }),
  }));
  return [...versions, ...ciphers, ...texts].map((line) => field(walk, line));
}
