import fc from 'fast-check';
import { expect, test } from 'vitest';
import { packetOf } from '../testing/decode-packets.ts';
import { sampleFrames } from '../testing/sample-frames.ts';
import type { ByteSpan, Field } from './decoded-packet.ts';
import { createDecoder } from './decoder.ts';
import { lineOf } from './packet-line.ts';
import { packetTree } from './packet-tree.ts';

const linkTypes = [0, 1, 12, 14, 101, 108, 113, 147, 228, 229, 276];
const decoder = createDecoder({ connections: 4 });
const lineOptions = {
  seconds: 0,
  nanoseconds: 0,
  time: 'of-day',
  resolution: 'us',
  interfaceName: undefined,
} as const;

/** Cc, Cf, Zl, Zp and Cs: what a terminal acts on. */
const unprintable = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u;

/** What about the packet's line and tree is not as promised. */
function problemsOf(bytes: Uint8Array, linkType: number, originalBytes = bytes.length): readonly string[] {
  const packet = packetOf(bytes, { originalBytes });
  const decoded = decoder.decode(packet, linkType);
  const line = lineOf(decoded, lineOptions);
  const all = { from: 0, to: bytes.length };
  return [
    ...(unprintable.test(line) ? [`unprintable: ${JSON.stringify(line)}`] : []),
    ...(line.length > 500 ? [`long: ${line}`] : []),
    ...(isInside(decoded.payload, all) ? [] : [`payload: ${JSON.stringify(decoded.payload)}`]),
    ...fieldProblems(packetTree(packet, linkType), all),
  ];
}

function fieldProblems(fields: readonly Field[], parent: ByteSpan): readonly string[] {
  return fields.flatMap((field) => [
    ...(unprintable.test(field.name + field.value) ? [`unprintable: ${JSON.stringify(field)}`] : []),
    ...(isInside(field, parent) ? [] : [`outside of its parent: ${JSON.stringify(field)}`]),
    ...fieldProblems(field.children, field),
  ]);
}

function isInside({ from, to }: ByteSpan, parent: ByteSpan): boolean {
  return from >= parent.from && from <= to && to <= parent.to;
}

test('any bytes of any link type are decoded', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 200 }),
      fc.constantFrom(...linkTypes),
      fc.nat(300),
      (bytes, linkType, more) => {
        expect(problemsOf(bytes, linkType, bytes.length + more)).toEqual([]);
      },
    ),
    { numRuns: 2_000 },
  );
});

test('packets that were cut at any length are decoded', () => {
  for (const frame of sampleFrames)
    for (let length = 0; length <= frame.length; length += 1) {
      expect([
        ...problemsOf(frame.subarray(0, length), 1, frame.length),
        ...problemsOf(frame.subarray(0, length), 1),
      ]).toEqual([]);
    }
});

const change = fc.tuple(fc.nat(), fc.oneof(fc.nat(255), fc.constantFrom(0, 1, 0x3f, 0x7f, 0x80, 0xc0, 0xff)));

test('packets with changed bytes are decoded', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...sampleFrames),
      fc.array(change, { minLength: 1, maxLength: 8 }),
      (frame, changes) => {
        const bytes = Uint8Array.from(frame);
        // What is behind Ethernet is changed: other link types are tested above.
        for (const [at, value] of changes) bytes[12 + (at % (bytes.length - 12))] = value;
        expect(problemsOf(bytes, 1)).toEqual([]);
      },
    ),
    { numRuns: 3_000 },
  );
});

test('bytes of the next packet in the buffer are never looked at', () => {
  const [one, same] = [createDecoder(), createDecoder()];
  for (const frame of sampleFrames)
    for (let length = 0; length <= frame.length; length += 1) {
      const packet = packetOf(frame.subarray(0, length), { originalBytes: frame.length });
      const other = { ...packet, buffer: Uint8Array.from(packet.buffer).fill(0xc0, packet.dataAt + length) };
      expect(same.decode(other, 1)).toEqual(one.decode(packet, 1));
      expect(packetTree(other, 1)).toEqual(packetTree(packet, 1));
    }
});
