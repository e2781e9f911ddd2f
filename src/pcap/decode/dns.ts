import type { ByteSpan, Field } from './decoded-packet.ts';
import { nameEnd, nameText } from './dns-names.ts';
import { type DnsRecord, recordAt, recordText, typeName } from './dns-records.ts';
import { decimal, field, type HeaderField, headerFields, hexadecimal } from './fields.ts';
import { hex, u16 } from './network-bytes.ts';
import { readCut, type Walk } from './walk.ts';

/** RFC 1035, section 4.1.1: offsets. */
const offset = {
  id: 0,
  flags: 2,
  questions: 4,
  answers: 6,
  authority: 8,
  additional: 10,
  bytes: 12,
} as const;

const header: readonly HeaderField[] = [
  ['ID', offset.id, 2, hexadecimal],
  ['Flags', offset.flags, 2, hexadecimal],
  ['Questions', offset.questions, 2, decimal],
  ['Answers', offset.answers, 2, decimal],
  ['Authority records', offset.authority, 2, decimal],
  ['Additional records', offset.additional, 2, decimal],
];

/** In the line, and in the tree. */
const maxAnswersInLine = 3;
const maxRecords = 100;

/** Reads a DNS message that fills the rest of the packet. */
export function readDns(walk: Walk, at: number): void {
  walk.protocols.push('dns');
  const message = { from: at, to: walk.end };
  walk.layers?.push(
    field(walk, { name: 'DNS', ...message }, [
      ...headerFields(walk, at, header),
      ...recordFields(walk, message),
    ]),
  );
  const { payloadFrom } = walk;
  if (at + offset.bytes > walk.end) readCut(walk, at, 'DNS');
  else walk.info = messageText(walk, message);
  // A search for text also looks at the header.
  walk.payloadFrom = payloadFrom;
}

/** RFC 1035, section 4.2.2: over TCP, a length of two bytes precedes the message. False if this cannot be one. */
export function readDnsOverTcp(walk: Walk, at: number): boolean {
  if (at + 2 + offset.bytes > walk.end || u16(walk.bytes, at) < offset.bytes) return false;
  readDns(walk, at + 2);
  return true;
}

function messageText(walk: Walk, message: ByteSpan): string {
  const { bytes } = walk;
  const at = message.from;
  const flags = u16(bytes, at + offset.flags);
  const isResponse = (flags & 0x8000) !== 0;
  const opcode = (flags >> 11) & 15;
  const kind = `${opcodes[opcode] ?? `opcode ${opcode} `}${isResponse ? 'response' : 'query'}`;
  const question = questionText(walk, message);
  const rcode = isResponse && (flags & 15) !== 0 ? ` ${rcodes[flags & 15] ?? `RCODE${flags & 15}`}` : '';
  return `${kind} ${hex(u16(bytes, at), 4)}${question}${rcode}${answersText(walk, message)}`;
}

const opcodes: readonly (string | undefined)[] = ['', 'inverse ', 'status ', undefined, 'notify ', 'update '];

/** IANA: DNS RCODEs. */
const rcodes = [
  'NOERROR',
  'FORMERR',
  'SERVFAIL',
  'NXDOMAIN',
  'NOTIMP',
  'REFUSED',
  'YXDOMAIN',
  'YXRRSET',
  'NXRRSET',
  'NOTAUTH',
  'NOTZONE',
];

function questionText({ bytes }: Walk, message: ByteSpan): string {
  const at = message.from + offset.bytes;
  const count = u16(bytes, message.from + offset.questions);
  if (count === 0) return '';
  const end = questionEnd(bytes, at, message.to);
  if (end === 0) return ' question cut off';
  const others = count === 1 ? '' : ` (and ${count - 1} more)`;
  return ` ${typeName(u16(bytes, end - 4))} ${nameText(bytes, at, message)}${others}`;
}

/** A question is a name, a type and a class. */
function questionEnd(bytes: Uint8Array, at: number, end: number): number {
  const fixed = nameEnd(bytes, at, end);
  return fixed === 0 || fixed + 4 > end ? 0 : fixed + 4;
}

function answersText({ bytes }: Walk, message: ByteSpan): string {
  const count = u16(bytes, message.from + offset.answers);
  if (count === 0) return '';
  let text = `: ${count} ${count === 1 ? 'answer' : 'answers'}`;
  let at = questionsEnd(bytes, message);
  for (let i = 0; at !== 0 && i < Math.min(count, maxAnswersInLine); i += 1) {
    const record = recordAt(bytes, at, message.to);
    if (record === undefined) break;
    text += `, ${recordText(bytes, record, message)}`;
    at = record.to;
  }
  return text;
}

/** Where the answers start, or 0 if the questions are not whole. */
function questionsEnd(bytes: Uint8Array, message: ByteSpan): number {
  const count = u16(bytes, message.from + offset.questions);
  let at = message.from + offset.bytes;
  for (let i = 0; i < count && at !== 0; i += 1) at = questionEnd(bytes, at, message.to);
  return at;
}

/** The questions and the records of the tree. */
function recordFields(walk: Walk, message: ByteSpan): readonly Field[] {
  const { bytes } = walk;
  if (message.from + offset.bytes > message.to) return [];
  const fields: Field[] = [];
  const questions = u16(bytes, message.from + offset.questions);
  let at = message.from + offset.bytes;
  for (let i = 0; i < questions && i < maxRecords; i += 1) {
    const to = questionEnd(bytes, at, message.to);
    if (to === 0) return fields;
    const value = `${typeName(u16(bytes, to - 4))} ${nameText(bytes, at, message)}`;
    fields.push(field(walk, { name: 'Question', value, from: at, to }));
    at = to;
  }
  if (questions > maxRecords) return fields;
  for (const [name, place] of sections)
    for (let left = u16(bytes, message.from + place); left > 0 && fields.length < maxRecords; left -= 1) {
      const record = recordAt(bytes, at, message.to);
      if (record === undefined) return fields;
      fields.push(recordField(walk, { name, record, message }));
      at = record.to;
    }
  return fields;
}

const sections = [
  ['Answer', offset.answers],
  ['Authority', offset.authority],
  ['Additional', offset.additional],
] as const;

type NamedRecord = { readonly name: string; readonly record: DnsRecord; readonly message: ByteSpan };

function recordField(walk: Walk, { name, record, message }: NamedRecord): Field {
  const { bytes } = walk;
  const { from, to, dataFrom } = record;
  const value = `${nameText(bytes, from, message)} ${recordText(bytes, record, message)}`;
  // The pseudo-record OPT has other things in place of a time to live, RFC 6891.
  const ttl =
    typeName(record.type) === 'OPT'
      ? []
      : ([['Time to live', `${record.ttl} s`, dataFrom - 6, dataFrom - 2]] as const);
  return field(
    walk,
    { name, value, from, to },
    [
      ['Name', nameText(bytes, from, message), from, dataFrom - 10] as const,
      ['Type', typeName(record.type), dataFrom - 10, dataFrom - 8] as const,
      ...ttl,
      ['Data', `${to - dataFrom} bytes`, dataFrom, to] as const,
    ].map(([child, text, first, last]) => field(walk, { name: child, value: text, from: first, to: last })),
  );
}
