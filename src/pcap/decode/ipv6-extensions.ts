import type { Field } from './decoded-packet.ts';
import { field } from './fields.ts';
import { readFragment } from './fragment.ts';
import { authentication, authenticationEnd, readIpPayload } from './ip-payload.ts';
import { ipProtocolName } from './ip-protocols.ts';
import { u8, u16, u32 } from './network-bytes.ts';
import { limit, readCut, readOther, type Walk } from './walk.ts';

/** Next header values, RFC 8200, section 4. */
const hopByHop = 0;
const routing = 43;
const fragment = 44;
const destinationOptions = 60;

/** RFC 8200 names 5 kinds, of which one can be there twice. */
const maxHeaders = 8;

/** A line for each option, but not for each of the hundreds of one byte that fit in. */
const maxOptionFields = 32;

/** Reads the extension headers of an IPv6 packet, and what it carries. */
export function readExtensions(walk: Walk, at: number, firstHeader: number): void {
  let from = at;
  let header = firstHeader;
  for (let count = 0; isExtension(header); count += 1) {
    if (count === maxHeaders) return readOther(walk, from, ipProtocolName(header));
    const next = extensionEnd(walk, from, header);
    if (next === 0) return readCut(walk, from, 'IPv6 extension');
    if (header === fragment && readFragment(walk, next, fragmentAt(walk, from))) return;
    if (header === hopByHop && count === 0) limitJumbo(walk, from, next);
    header = u8(walk.bytes, from);
    from = next;
  }
  readIpPayload(walk, from, header);
}

function isExtension(header: number): boolean {
  return (
    header === hopByHop ||
    header === routing ||
    header === fragment ||
    header === destinationOptions ||
    header === authentication
  );
}

/** Adds the header's layer to the tree. Returns its end, or 0 if it is cut off. */
function extensionEnd(walk: Walk, at: number, header: number): number {
  if (header === authentication) return authenticationEnd(walk, at);
  if (at + 8 > walk.end) return 0;
  const next = at + (header === fragment ? 8 : 8 + u8(walk.bytes, at + 1) * 8);
  if (next > walk.end) return 0;
  walk.layers?.push(extensionLayer(walk, { header, from: at, to: next }));
  return next;
}

type Extension = { readonly header: number; readonly from: number; readonly to: number };

function extensionLayer(walk: Walk, { header, from, to }: Extension): Field {
  const nextHeader = field(walk, {
    name: 'Next header',
    value: `${u8(walk.bytes, from)}`,
    from,
    to: from + 1,
  });
  switch (header) {
    case fragment: {
      const { offset, hasMore, id } = fragmentAt(walk, from);
      const value = `offset ${offset}, ${hasMore ? 'more follow' : 'the last'}, ID ${id}`;
      return field(walk, { name: 'IPv6 fragment', value, from, to }, [nextHeader]);
    }
    case routing: {
      const value = `type ${u8(walk.bytes, from + 2)}, segments left ${u8(walk.bytes, from + 3)}`;
      return field(walk, { name: 'IPv6 routing', value, from, to }, [nextHeader]);
    }
    default: {
      const name = header === hopByHop ? 'IPv6 hop-by-hop options' : 'IPv6 destination options';
      return field(walk, { name, from, to }, [nextHeader, ...optionFields(walk, from, to)]);
    }
  }
}

/** RFC 8200, section 4.5. */
function fragmentAt({ bytes }: Walk, at: number) {
  const bits = u16(bytes, at + 2);
  return {
    offset: bits & 0xfff8,
    hasMore: (bits & 1) === 1,
    id: u32(bytes, at + 4),
    protocol: u8(bytes, at),
  };
}

/** RFC 2675: the option with the length of a packet whose length does not fit in 16 bits. */
const jumboPayload = 0xc2;

/** If there is a jumbo payload option, makes the packet as long as it says. */
function limitJumbo(walk: Walk, from: number, to: number): void {
  for (let at = from + 2; at < to; at = optionEnd(walk, at, to)) {
    if (u8(walk.bytes, at) !== jumboPayload || at + 6 > to) continue;
    // It counts from the end of the IPv6 header, which is before this header.
    limit(walk, from + u32(walk.bytes, at + 2));
    return;
  }
}

function optionFields(walk: Walk, from: number, to: number): readonly Field[] {
  const fields: Field[] = [];
  for (let at = from + 2; at < to && fields.length < maxOptionFields; ) {
    const end = optionEnd(walk, at, to);
    const name = optionNames.get(u8(walk.bytes, at)) ?? `Option ${u8(walk.bytes, at)}`;
    fields.push(field(walk, { name, from: at, to: end }));
    at = end;
  }
  return fields;
}

/** RFC 8200, section 4.2: type, length and data; type 0 is one byte of padding. Never after `to`. */
function optionEnd({ bytes }: Walk, at: number, to: number): number {
  if (u8(bytes, at) === 0) return at + 1;
  return at + 2 > to ? to : Math.min(at + 2 + u8(bytes, at + 1), to);
}

const optionNames: ReadonlyMap<number, string> = new Map([
  [0, 'Pad1'],
  [1, 'PadN'],
  [5, 'Router alert'],
  [jumboPayload, 'Jumbo payload'],
]);
