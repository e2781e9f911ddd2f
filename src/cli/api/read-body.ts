import type { Readable } from 'node:stream';

/** The text of an answer, to `maxBytes` of it; the rest is not read. Throws if the answer is cut. */
export async function readBodyText(body: Readable, maxBytes: number): Promise<string> {
  const parts: Buffer[] = [];
  let bytes = 0;
  const chunks: AsyncIterable<unknown> = body;
  for await (const chunk of chunks) {
    if (!Buffer.isBuffer(chunk)) continue;
    parts.push(chunk);
    bytes += chunk.length;
    if (bytes >= maxBytes) break;
  }
  return Buffer.concat(parts).subarray(0, maxBytes).toString('utf8');
}
