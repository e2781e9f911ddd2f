/** From the lowest bit up, as RFC 9293 names them. */
const names = ['FIN', 'SYN', 'RST', 'PSH', 'ACK', 'URG', 'ECE', 'CWR'];

/** The flags as [SYN, ACK], for each value of the byte. */
const texts: readonly string[] = Array.from({ length: 256 }, (_, flags) => {
  const set = names.filter((_name, bit) => ((flags >> bit) & 1) === 1);
  return `[${set.join(', ')}]`;
});

/** The flags of a TCP segment as people write them: [SYN, ACK]. */
export function flagsText(flags: number): string {
  return texts[flags & 0xff] ?? '';
}
