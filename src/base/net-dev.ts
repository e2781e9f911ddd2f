/** What an interface has counted since it was created, in packets. */
export type InterfaceCounters = {
  readonly receivedPackets: number;
  readonly sentPackets: number;
  /** Not in `sentPackets`. */
  readonly sentDropped: number;
};

/**
 * Parses /proc/<pid>/net/dev (proc_pid_net(5)): two heading lines, then "name: " with 8 columns received and 8 columns
 * sent. Packets are the second of each, dropped ones the fourth. Returns undefined if no interface has that name. Pure.
 */
export function parseNetDev(netDev: string, name: string): InterfaceCounters | undefined {
  for (const line of netDev.split('\n')) {
    const [interfaceName, columns] = line.split(':');
    if (interfaceName?.trim() !== name || columns === undefined) continue;
    const numbers = columns.trim().split(/\s+/).map(Number);
    return {
      receivedPackets: numbers[1] ?? 0,
      sentPackets: numbers[9] ?? 0,
      sentDropped: numbers[11] ?? 0,
    };
  }
  return undefined;
}
