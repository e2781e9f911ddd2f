import type { Field } from './decoded-packet.ts';
import { field } from './fields.ts';
import { u8 } from './network-bytes.ts';
import { packetText } from './packet-text.ts';
import type { Walk } from './walk.ts';

/** The longest method that is registered has 17 letters. */
const maxMethodBytes = 20;

/** How far the end of the first line is looked for. */
const maxLineBytes = 8192;

const maxLineChars = 160;
const maxHeaders = 64;

/** Reads a request or status line of HTTP/1 and returns true; false if the data do not start with one, whatever the port. */
export function readHttp(walk: Walk, at: number): boolean {
  const { bytes } = walk;
  const end = Math.min(walk.end, at + maxLineBytes);
  if (!isStatusStart(bytes, at, end) && !isRequestStart(bytes, at, end)) return false;
  const lineTo = lineEnd(bytes, at, end);
  walk.protocols.push('http');
  walk.info = packetText(bytes, { from: at, to: lineTo, maxChars: maxLineChars });
  walk.layers?.push(
    field(walk, { name: 'HTTP', from: at, to: walk.end }, [
      field(walk, { name: 'First line', value: walk.info, from: at, to: lineTo }),
      ...headersOf(walk, afterLine(bytes, lineTo, walk.end)),
    ]),
  );
  return true;
}

/** RFC 9112, section 4: "HTTP/1.1 200 OK". */
function isStatusStart(bytes: Uint8Array, at: number, end: number): boolean {
  return u8(bytes, at) === 0x48 && at + 9 <= end && hasVersion(bytes, at) && u8(bytes, at + 8) === space;
}

/**
 * RFC 9112, section 3: "GET /index.html HTTP/1.1". A line whose end is elsewhere must start with a method of HTTP and a
 * path: other protocols of text have commands of their own, as Redis has "SET /key value".
 */
function isRequestStart(bytes: Uint8Array, at: number, end: number): boolean {
  let from = at;
  while (from < end && from - at < maxMethodBytes && isMethodByte(u8(bytes, from))) from += 1;
  if (from - at < 3 || from >= end || u8(bytes, from) !== space) return false;
  const to = lineEnd(bytes, from, end);
  if (to === end) return from + 1 < end && u8(bytes, from + 1) === 0x2f && isKnownMethod(bytes, at, from);
  return to - 9 > from && u8(bytes, to - 9) === space && hasVersion(bytes, to - 8);
}

const space = 0x20;

/** A capital letter, or what joins words: VERSION-CONTROL, CCM_POST. */
function isMethodByte(byte: number): boolean {
  return (byte >= 0x41 && byte <= 0x5a) || byte === 0x2d || byte === 0x5f;
}

function isKnownMethod(bytes: Uint8Array, at: number, to: number): boolean {
  return knownMethods.has(String.fromCharCode(...bytes.subarray(at, to)));
}

/** RFC 9110, RFC 5789 (PATCH) and RFC 4918 (WebDAV). */
const knownMethods: ReadonlySet<string> = new Set(
  'CONNECT COPY DELETE GET HEAD LOCK MKCOL MOVE OPTIONS PATCH POST PROPFIND PROPPATCH PUT TRACE UNLOCK'.split(
    ' ',
  ),
);

/** "HTTP/1." and a digit. */
function hasVersion(bytes: Uint8Array, at: number): boolean {
  for (let i = 0; i < version.length; i += 1) if (u8(bytes, at + i) !== version[i]) return false;
  const digit = u8(bytes, at + version.length);
  return digit >= 0x30 && digit <= 0x39;
}

const version = [0x48, 0x54, 0x54, 0x50, 0x2f, 0x31, 0x2e];

/** Where the text of the line ends; `end` if its line feed is not there. */
function lineEnd(bytes: Uint8Array, at: number, end: number): number {
  let to = at;
  while (to < end && u8(bytes, to) !== 0x0a) to += 1;
  if (to === end) return end;
  return to > at && u8(bytes, to - 1) === 0x0d ? to - 1 : to;
}

/** Behind the line feed, perhaps after a carriage return. */
function afterLine(bytes: Uint8Array, lineTo: number, end: number): number {
  const next = lineTo < end && u8(bytes, lineTo) === 0x0d ? lineTo + 2 : lineTo + 1;
  return Math.min(next, end);
}

/** The header lines that are whole. */
function headersOf(walk: Walk, at: number): readonly Field[] {
  const { bytes, end } = walk;
  const fields: Field[] = [];
  for (let from = at; from < end && fields.length < maxHeaders; ) {
    const to = lineEnd(bytes, from, end);
    if (to === from || to === end) break;
    const value = packetText(bytes, { from, to, maxChars: maxLineChars });
    fields.push(field(walk, { name: 'Header', value, from, to }));
    from = afterLine(bytes, to, end);
  }
  return fields;
}
