import { type CaptureInterface, microseconds } from '../capture-interface.ts';

/** Writes the bytes of captures field by field, in either byte order: independent of the code that is tested. */
export type CaptureBytes = {
  readonly u16: (value: number) => Buffer;
  readonly u32: (value: number) => Buffer;
  readonly i64: (value: bigint) => Buffer;
  /** A pcap file header and a record. `data` can be longer or shorter than `captured` says. */
  readonly header: (fields?: PcapHeaderFields) => Buffer;
  readonly record: (fields?: RecordFields) => Buffer;
  /** A pcapng block; its second length can be wrong. */
  readonly block: (type: number, body: Buffer, second?: number) => Buffer;
  readonly option: (code: number, value: Buffer | string) => Buffer;
  readonly section: (fields?: { version?: [number, number]; length?: bigint; options?: Buffer }) => Buffer;
  readonly interfaceBlock: (fields?: { linkType?: number; snaplen?: number; options?: Buffer }) => Buffer;
  readonly packet: (fields?: PacketFields) => Buffer;
};

export type PcapHeaderFields = {
  readonly magic?: number;
  readonly version?: readonly [number, number];
  readonly snaplen?: number;
  readonly network?: number;
};

export type RecordFields = {
  readonly seconds?: number;
  readonly fraction?: number;
  readonly captured?: number;
  readonly original?: number;
  readonly data?: Buffer;
};

export type PacketFields = {
  readonly id?: number;
  readonly high?: number;
  readonly low?: number;
  readonly data?: Buffer;
  readonly captured?: number;
  readonly original?: number;
  readonly options?: Buffer;
  readonly second?: number;
};

export const endOfOptions = Buffer.alloc(4);
export const someData = Buffer.from('0123456789abcdefghij');

export function captureBytes(byteOrder: 'little' | 'big'): CaptureBytes {
  const little = byteOrder === 'little';
  const u16 = (value: number) => {
    const bytes = Buffer.alloc(2);
    if (little) bytes.writeUInt16LE(value);
    else bytes.writeUInt16BE(value);
    return bytes;
  };
  const u32 = (value: number) => {
    const bytes = Buffer.alloc(4);
    if (little) bytes.writeUInt32LE(value);
    else bytes.writeUInt32BE(value);
    return bytes;
  };
  const i64 = (value: bigint) => {
    const bytes = Buffer.alloc(8);
    if (little) bytes.writeBigInt64LE(value);
    else bytes.writeBigInt64BE(value);
    return bytes;
  };
  const block: CaptureBytes['block'] = (type, body, second = body.length + 12) =>
    Buffer.concat([u32(type), u32(body.length + 12), body, u32(second)]);
  return {
    u16,
    u32,
    i64,
    header: ({ magic = 0xa1b2c3d4, version = [2, 4], snaplen = 262_144, network = 1 } = {}) =>
      Buffer.concat([u32(magic), ...version.map(u16), u32(0), u32(0), u32(snaplen), u32(network)]),
    record: ({
      seconds = 1_700_000_000,
      fraction = 5,
      data = someData,
      captured = data.length,
      original = captured,
    } = {}) => Buffer.concat([...[seconds, fraction, captured, original].map(u32), data]),
    block,
    option: (code, value) => {
      const bytes = Buffer.from(value);
      return Buffer.concat([u16(code), u16(bytes.length), padded(bytes)]);
    },
    section: ({ version = [1, 0], length = -1n, options = Buffer.alloc(0) } = {}) =>
      block(0x0a0d0d0a, Buffer.concat([u32(0x1a2b3c4d), ...version.map(u16), i64(length), options])),
    interfaceBlock: ({ linkType = 1, snaplen = 262_144, options = Buffer.alloc(0) } = {}) =>
      block(1, Buffer.concat([u16(linkType), u16(0), u32(snaplen), options])),
    packet: ({
      id = 0,
      high = 395_812,
      low = 100,
      data = someData,
      captured = data.length,
      original = captured,
      options = Buffer.alloc(0),
      second,
    } = {}) =>
      block(
        6,
        Buffer.concat([...[id, high, low, captured, original].map(u32), padded(data), options]),
        second,
      ),
  };
}

/** Padded with zeros to a multiple of 4 bytes. */
export function padded(bytes: Buffer): Buffer {
  return Buffer.concat([bytes, Buffer.alloc(-bytes.length & 3)]);
}

/** An interface without texts. */
export const plainInterface: CaptureInterface = {
  linkType: 1,
  snaplen: 262_144,
  resolution: microseconds,
  offsetSeconds: 0n,
  name: undefined,
  description: undefined,
  filter: undefined,
  comment: undefined,
};
