import { endianness } from 'node:os';

/** What the agent asks podcap-spawner for, and what that answers: the numbers of spawner.c. */
export const requests = { start: 1, input: 2, signal: 3 } as const;
export const answers = { started: 1, signalled: 2, said: 3, ended: 4 } as const;

export type SpawnerFrame = {
  /** Of the program that it is about, as the agent has chosen it. */
  readonly id: number;
  readonly kind: number;
  readonly payload: Buffer;
};

const headerBytes = 12;
/** Of a request, in bytes: what spawner.c takes. */
export const largestPayload = 65_536;
const isLittle = endianness() === 'LE';

/** Throws a RangeError when the payload is too large. */
export function frameOf(id: number, kind: number, payload: Buffer): Buffer {
  if (payload.length > largestPayload) {
    throw new RangeError(`a request of ${payload.length} bytes: ${largestPayload} at most`);
  }
  const header = new Uint32Array([id, kind, payload.length]);
  return Buffer.concat([Buffer.from(header.buffer), payload]);
}

/** Gives back the frames that are whole with these bytes; what is left waits for the next ones. */
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

/** Of 32 bits, in the machine's order. */
export function numberAt(bytes: Buffer, offset: number): number {
  return isLittle ? bytes.readUInt32LE(offset) : bytes.readUInt32BE(offset);
}
