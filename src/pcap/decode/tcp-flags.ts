/** The bits of RFC 9293, section 3.1, from the lowest up. */
export const tcpFlags = { fin: 1, syn: 2, rst: 4, psh: 8, ack: 16, urg: 32, ece: 64, cwr: 128 } as const;

const names = Object.keys(tcpFlags).map((name) => name.toUpperCase());

/** The flags as [SYN, ACK], for each value of the byte. */
const texts: readonly string[] = Array.from({ length: 256 }, (_, flags) => {
  const set = names.filter((_name, bit) => ((flags >> bit) & 1) === 1);
  return `[${set.join(', ')}]`;
});

/** The flags of a TCP segment as people write them: [SYN, ACK]. */
export function flagsText(flags: number): string {
  return texts[flags & 0xff] ?? '';
}
