import type { Readable } from 'node:stream';
import { createDecoder } from '../pcap/decode/decoder.ts';
import { lineOf } from '../pcap/decode/packet-line.ts';
import { namedCapture } from './open-capture.ts';
import type { ShowParts } from './show.ts';

/** What reads captures and understands packets. */
export function showParts(stdin: Readable): ShowParts {
  return {
    openReader: async (file) => (await namedCapture(file, stdin)).open(),
    decoder: createDecoder,
    lineOf,
  };
}
