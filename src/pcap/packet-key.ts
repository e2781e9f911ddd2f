import { hash, randomBytes } from 'node:crypto';
import { maxPacketBytes } from './pcap-format.ts';
import type { SourceReader } from './source.ts';

/** A number for the packet at hand, below 2^52: the same for the same packet, and for no other. */
export type PacketKey = (reader: Pick<SourceReader, 'data' | 'originalBytes'>) => number;

/**
 * Of the packet's original length and its first `snaplen` bytes. 52 bits of SHA-256 with a secret for this one run:
 * whoever sends packets cannot look for two that get the same.
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
