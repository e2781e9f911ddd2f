import { createHash } from 'node:crypto';

/** Podcap's own namespace of UUIDs (RFC 9562, 6.5). */
const namespaceBytes = Buffer.from('8f0c6a3e5b7d4c2f9a1e3d5b7c9f1a2b', 'hex');

/** The UUIDv5 of an object: the same in every replica, and after each restart. */
export function captureUid(namespace: string, name: string): string {
  const bytes = createHash('sha1')
    .update(namespaceBytes)
    .update(`${namespace}/${name}`)
    .digest()
    .subarray(0, 16);
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x50, 6);
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8);
  const hex = bytes.toString('hex');
  const parts = [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)];
  return parts.join('-');
}
