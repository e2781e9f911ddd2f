import { statisticsBlock } from '../../pcap/pcapng-format.ts';

/**
 * An interface statistics block that counts nothing, for a pcapng stream that is silent: tcpdump, tshark and Wireshark
 * pass over it. Its time is in the units of interface 0, which are microseconds.
 */
export function keepAliveBlock(unixMs = Date.now()): Uint8Array {
  const block = new Uint8Array(24);
  const view = new DataView(block.buffer);
  const time = BigInt(unixMs) * 1_000n;
  view.setUint32(0, statisticsBlock, true);
  view.setUint32(4, block.length, true);
  view.setUint32(12, Number(time >> 32n), true);
  view.setUint32(16, Number(time & 0xffff_ffffn), true);
  view.setUint32(20, block.length, true);
  return block;
}
