/** An Ethernet frame with a UDP datagram of that many bytes, from 10.0.0.1 to 10.0.0.2. */
export function udpFrame(payloadBytes: number): Buffer {
  const frame = Buffer.alloc(42 + payloadBytes);
  frame.writeUInt16BE(0x0800, 12);
  frame.writeUInt8(0x45, 14);
  frame.writeUInt16BE(28 + payloadBytes, 16);
  frame.writeUInt8(64, 22);
  frame.writeUInt8(17, 23);
  frame.set([10, 0, 0, 1, 10, 0, 0, 2], 26);
  frame.writeUInt16BE(7, 34);
  frame.writeUInt16BE(9999, 36);
  frame.writeUInt16BE(8 + payloadBytes, 38);
  return frame;
}
