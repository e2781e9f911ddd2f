import type { Field } from './decoded-packet.ts';
import { hex, u8, u16, u24, u32 } from './network-bytes.ts';
import type { Walk } from './walk.ts';

/** A field of a header whose place is fixed: its name, its first byte in the header, its bytes, and how its value is shown. */
export type HeaderField = readonly [name: string, at: number, bytes: number, text: FieldText];

export type FieldText = (bytes: Uint8Array, at: number, length: number) => string;

/** A line of the tree; `from` and `to` are positions in the buffer. */
export type FieldLine = {
  readonly name: string;
  readonly from: number;
  readonly to: number;
  readonly value?: string;
};

/** The fields of a header that starts at `at`, as far as they were captured. */
export function headerFields(walk: Walk, at: number, header: readonly HeaderField[]): readonly Field[] {
  return header
    .filter(([, offset, bytes]) => at + offset + bytes <= walk.end)
    .map(([name, offset, bytes, text]) => {
      const from = at + offset;
      return field(walk, { name, from, to: from + bytes, value: text(walk.bytes, from, bytes) });
    });
}

/** A field of the tree: positions in the buffer become positions in the packet, and stay inside it. */
export function field(
  walk: Walk,
  { name, from, to, value = '' }: FieldLine,
  children: readonly Field[] = [],
): Field {
  const first = Math.min(from, walk.end);
  const last = Math.min(Math.max(to, first), walk.end);
  return { name, value, from: first - walk.start, to: last - walk.start, children };
}

export function decimal(bytes: Uint8Array, at: number, length: number): string {
  return `${numberAt(bytes, at, length)}`;
}

export function hexadecimal(bytes: Uint8Array, at: number, length: number): string {
  return hex(numberAt(bytes, at, length), length * 2);
}

/** The first bytes as hexadecimal digits. */
export function rawBytes(bytes: Uint8Array, at: number, length: number): string {
  const shown = Math.min(length, 32);
  const digits = Array.from({ length: shown }, (_, i) =>
    u8(bytes, at + i)
      .toString(16)
      .padStart(2, '0'),
  );
  return digits.join(' ') + (shown < length ? ' …' : '');
}

function numberAt(bytes: Uint8Array, at: number, length: number): number {
  if (length === 1) return u8(bytes, at);
  if (length === 2) return u16(bytes, at);
  return length === 3 ? u24(bytes, at) : u32(bytes, at);
}
