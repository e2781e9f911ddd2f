/** The packet counters of an interface since it was created. */
export type InterfaceCounters = { readonly receivedPackets: number; readonly sentPackets: number };

/**
 * Parses /proc/<pid>/net/dev (proc_pid_net(5)): two heading lines, then "name: received ... sent ...". Packets are the
 * second number of each. Throws if there is no interface of that name.
 */
export function interfaceCounters(table: string, name: string): InterfaceCounters {
  const line = table.split('\n').find((row) => row.trimStart().startsWith(`${name}:`));
  if (line === undefined) throw new Error(`no interface ${name} in:\n${table}`);
  const numbers = line
    .slice(line.indexOf(':') + 1)
    .trim()
    .split(/\s+/)
    .map(Number);
  return { receivedPackets: numbers[1] ?? 0, sentPackets: numbers[9] ?? 0 };
}
