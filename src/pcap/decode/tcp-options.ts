import type { Field } from './decoded-packet.ts';
import { field } from './fields.ts';
import { u8, u16, u32 } from './network-bytes.ts';
import type { Walk } from './walk.ts';

/** The options that the line of a SYN shows: ` mss=1460 sackOK wscale=7`. Others are in the tree. */
export function optionsText(walk: Walk, at: number, to: number): string {
  const end = Math.min(to, walk.end);
  let text = '';
  for (let from = at; from < end; ) {
    const length = optionBytes(walk, from, end);
    if (length === 0) break;
    const kind = u8(walk.bytes, from);
    if (kind >= 2 && kind <= 4) text += ` ${optionText(walk, from, length)}`;
    from += length;
  }
  return text;
}

/** A field for each option. There are 40 bytes of them at most. */
export function optionFields(walk: Walk, at: number, to: number): readonly Field[] {
  const end = Math.min(to, walk.end);
  const fields: Field[] = [];
  for (let from = at; from < end; ) {
    const length = optionBytes(walk, from, end);
    if (length === 0) break;
    fields.push(
      field(walk, { name: 'Option', value: optionText(walk, from, length), from, to: from + length }),
    );
    from += length;
  }
  return fields;
}

/** RFC 9293, section 3.1: the length of the option at `at`, or 0 if it is not whole. */
function optionBytes({ bytes }: Walk, at: number, end: number): number {
  if (u8(bytes, at) < 2) return 1;
  if (at + 2 > end) return 0;
  const length = u8(bytes, at + 1);
  return length < 2 || at + length > end ? 0 : length;
}

/** IANA: TCP option kinds. */
function optionText({ bytes }: Walk, at: number, length: number): string {
  const kind = u8(bytes, at);
  if (kind === 0) return 'end of options';
  if (kind === 1) return 'nop';
  if (kind === 2 && length === 4) return `mss=${u16(bytes, at + 2)}`;
  if (kind === 3 && length === 3) return `wscale=${u8(bytes, at + 2)}`;
  if (kind === 4) return 'sackOK';
  if (kind === 5) return sackBlocks(bytes, at, length);
  if (kind === 8 && length === 10) return `timestamps ${u32(bytes, at + 2)} ${u32(bytes, at + 6)}`;
  return `kind ${kind}, length ${length}`;
}

function sackBlocks(bytes: Uint8Array, at: number, length: number): string {
  let text = 'sack blocks';
  for (let from = at + 2; from + 8 <= at + length; from += 8)
    text += ` ${u32(bytes, from)}-${u32(bytes, from + 4)}`;
  return text;
}
