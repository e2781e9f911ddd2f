/** A line is longer than allowed: it cannot be read, and the stream is of no further use. */
export class LineTooLong extends Error {
  override readonly name = 'LineTooLong';
}

const newline = 0x0a;

/**
 * The lines of a UTF-8 stream, without their newlines. Lines are split as bytes and decoded whole, so a chunk may end
 * inside a character. A last line without a newline is dropped: the connection was cut inside it. Empty lines are
 * skipped. Buffers one line at most.
 */
export async function* lines(chunks: AsyncIterable<Buffer>, maxBytes: number): AsyncGenerator<string> {
  let parts: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of chunks) {
    let start = 0;
    for (let end = chunk.indexOf(newline); end !== -1; end = chunk.indexOf(newline, start)) {
      // Many in a row must cost nothing.
      if (end === start && bytes === 0) {
        start = end + 1;
        continue;
      }
      const last = chunk.subarray(start, end);
      bytes += last.length;
      start = end + 1;
      if (bytes > maxBytes) break;
      const line = (parts.length === 0 ? last : Buffer.concat([...parts, last])).toString('utf8');
      parts = [];
      bytes = 0;
      if (line !== '') yield line;
    }
    bytes += chunk.length - start;
    if (bytes > maxBytes) throw new LineTooLong(`a line of more than ${maxBytes} bytes`);
    if (start < chunk.length) parts.push(chunk.subarray(start));
  }
}
