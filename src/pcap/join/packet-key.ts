import { hash, randomBytes } from 'node:crypto';
import { maxPacketBytes } from '../pcap-format.ts';
import type { SourceReader } from './source.ts';

/** A number below 2^52 that identifies the current packet of a reader: equal packets, and no others, have the same. */
export type PacketKey = (reader: Pick<SourceReader, 'data' | 'originalBytes'>) => number;

/**
 * Keys made of the packet's original length and its first `snaplen` bytes: 52 bits of SHA-256 with a secret that is new
 * in each run, so that a sender cannot search for two packets with the same key.
 */
export function packetKey(snaplen: number): PacketKey {
  const secret = randomBytes(16);
  const input = new Uint8Array(secret.length + 4 + maxPacketBytes);
  const view = new DataView(input.buffer);
  input.set(secret);
  return ({ data, originalBytes }) => {
    const bytes = data.subarray(0, snaplen);
    view.setUint32(secret.length, originalBytes);
    input.set(bytes, secret.length + 4);
    const digest = hash('sha256', input.subarray(0, secret.length + 4 + bytes.length), 'buffer');
    return digest.readUInt32LE(0) + (digest.readUInt32LE(4) & 0xf_ffff) * 2 ** 32;
  };
}
