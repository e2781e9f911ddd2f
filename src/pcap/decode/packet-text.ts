import { plainText } from '../../base/plain-text.ts';

/**
 * Text that a packet contains, of at most `maxChars` characters, without anything that a terminal would act on. Bytes
 * that are not UTF-8 are shown as U+FFFD.
 */
export function packetText(bytes: Uint8Array, { from, to, maxChars }: TextSpan): string {
  // A character has four bytes at most.
  const last = Math.min(to, from + maxChars * 4);
  let text = '';
  for (let at = from; at < last; at += 1) {
    const byte = bytes[at] ?? 0;
    if (byte < 0x20 || byte > 0x7e) return shorten(unusualText(bytes.subarray(from, last)), maxChars);
    text += String.fromCharCode(byte);
  }
  return shorten(text, maxChars);
}

export type TextSpan = { readonly from: number; readonly to: number; readonly maxChars: number };

/** The text with `…` in place of what is over the limit. */
export function shorten(text: string, maxChars: number): string {
  if (text.length <= maxChars) return text;
  const kept = text.slice(0, maxChars - 1);
  // Not half of a character: terminals show that as they like.
  const isHalf = (kept.charCodeAt(kept.length - 1) & 0xfc00) === 0xd800;
  return `${isHalf ? kept.slice(0, -1) : kept}…`;
}

/** Rare, so it may be slow. */
function unusualText(bytes: Uint8Array): string {
  return plainText(new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes));
}
