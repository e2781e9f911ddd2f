import type { ByteSpan } from './decoded-packet.ts';
import { u8, u16 } from './network-bytes.ts';
import { packetText, shorten } from './packet-text.ts';

/** RFC 1035, section 2.3.4. */
const maxNameChars = 255;
const maxLabelBytes = 63;

/** The two upper bits of a length that is a pointer in fact. */
const pointer = 0xc0;

/** Where the name at `at` ends, or 0 if it is cut off or broken. A pointer ends it, wherever it points. */
export function nameEnd(bytes: Uint8Array, at: number, end: number): number {
  for (let from = at; from < end; ) {
    const length = u8(bytes, from);
    if (length === 0) return from + 1;
    if (length >= pointer) return from + 2 <= end ? from + 2 : 0;
    if (length > maxLabelBytes) return 0;
    from += 1 + length;
  }
  return 0;
}

/**
 * The name at `at` in a message, without the dot at its end; what cannot be read is `…`. RFC 1035, section 4.1.4: a
 * pointer is an offset in the message. It must point before all that was read of the name, so that it ends.
 */
export function nameText(bytes: Uint8Array, at: number, message: ByteSpan): string {
  let text = '';
  let lowest = at;
  for (let from = at; from < message.to && text.length < maxNameChars; ) {
    const length = u8(bytes, from);
    if (length === 0) return text === '' ? '.' : shorten(text, maxNameChars);
    if (length >= pointer) {
      if (from + 2 > message.to) break;
      from = message.from + (u16(bytes, from) & 0x3fff);
      if (from >= lowest) break;
      lowest = from;
    } else {
      const next = from + 1 + length;
      if (length > maxLabelBytes || next > message.to) break;
      text += (text === '' ? '' : '.') + labelText(bytes, from + 1, next);
      from = next;
    }
  }
  return shorten(`${text}…`, maxNameChars);
}

/** A dot inside a label is none between labels. */
function labelText(bytes: Uint8Array, from: number, to: number): string {
  const text = packetText(bytes, { from, to, maxChars: maxLabelBytes });
  return text.includes('.') ? text.replaceAll('.', String.raw`\.`) : text;
}
