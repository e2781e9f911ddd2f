/** What an interface has carried since it was made. */
export type InterfaceCounters = { readonly receivedPackets: number; readonly sentPackets: number };

/** Reads proc_pid_net(5) dev: two lines of headings, then "name: received ... sent ...", packets second in each. */
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
