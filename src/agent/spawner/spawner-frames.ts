import { endianness } from 'node:os';

/** The kinds of requests to podcap-spawner and of its answers: the same numbers as in spawner.c. */
export const requests = { start: 1, input: 2, signal: 3, startStreaming: 4, release: 5 } as const;
export const answers = { started: 1, signalled: 2, output: 3, ended: 4 } as const;

export type SpawnerFrame = {
  /** The program that it is about; the agent chose this number. */
  readonly id: number;
  readonly kind: number;
  readonly payload: Buffer;
};

const headerBytes = 12;
/** The largest payload of a request that spawner.c accepts, in bytes. */
export const largestPayload = 65_536;
const isLittle = endianness() === 'LE';

/** The bytes of one frame. Throws a RangeError if the payload is too large. */
export function frameOf(id: number, kind: number, payload: Buffer): Buffer {
  if (payload.length > largestPayload) {
    throw new RangeError(`a request of ${payload.length} bytes: ${largestPayload} at most`);
  }
  const header = new Uint32Array([id, kind, payload.length]);
  return Buffer.concat([Buffer.from(header.buffer), payload]);
}

/** Returns the frames that these bytes complete, and keeps the rest for the next call. */
export function frameReader(): (bytes: Buffer) => SpawnerFrame[] {
  let rest: Buffer = Buffer.alloc(0);
  return (bytes) => {
    rest = rest.length === 0 ? bytes : Buffer.concat([rest, bytes]);
    const frames: SpawnerFrame[] = [];
    while (rest.length >= headerBytes) {
      const end = headerBytes + numberAt(rest, 8);
      if (rest.length < end) break;
      frames.push({
        id: numberAt(rest, 0),
        kind: numberAt(rest, 4),
        payload: rest.subarray(headerBytes, end),
      });
      rest = rest.subarray(end);
    }
    return frames;
  };
}

/** An unsigned number of 32 bits in the machine's byte order. */
export function numberAt(bytes: Buffer, offset: number): number {
  return isLittle ? bytes.readUInt32LE(offset) : bytes.readUInt32BE(offset);
}
