import { createDecoder } from '../../src/pcap/decode/decoder.ts';
import { lineOf } from '../../src/pcap/decode/packet-line.ts';
import { packetMix } from './packet-mix.ts';

/**
 * Decodes packets into lines for some seconds, in Node.js or in a browser, and prints how many a second there were. It
 * has no DOM types: the page that loads it shows what it returns.
 */
const measureMs = 3_000;
const packets = packetMix(500).map((buffer) => ({
  buffer,
  dataAt: 0,
  interfaceIndex: 0,
  capturedBytes: buffer.length,
  originalBytes: buffer.length,
}));

/** Decodes all packets once, as a capture of its own; returns the characters of the lines. */
function decodeAll(): number {
  const { decode } = createDecoder();
  let characters = 0;
  let nanoseconds = 0;
  for (const packet of packets) {
    nanoseconds = (nanoseconds + 12_000) % 1e9;
    const line = lineOf(decode(packet, 1), {
      seconds: 1_790_000_000,
      nanoseconds,
      time: 'with-date',
      resolution: 'us',
      interfaceName: undefined,
    });
    characters += line.length;
  }
  return characters;
}

// The first second is for the compiler.
for (const startMs = performance.now(); performance.now() - startMs < 1_000; ) decodeAll();
const startMs = performance.now();
let [lines, characters, elapsedMs] = [0, 0, 0];
while (elapsedMs < measureMs) {
  characters += decodeAll();
  lines += packets.length;
  elapsedMs = performance.now() - startMs;
}
const result = JSON.stringify({ linesPerSecond: (lines / elapsedMs) * 1_000, characters });
Object.assign(globalThis, { result });
console.log(result);
