import { readFile } from 'node:fs/promises';

/**
 * How many packets that process's network interface has received and sent since it was made, or undefined if there is
 * no such interface. /proc/<pid>/net is that of the process's own network namespace (proc(5)), so the agent need not
 * enter it.
 */
export async function readInterfacePackets(pid: number, name: string): Promise<number | undefined> {
  return parsePackets(await readFile(`/proc/${pid}/net/dev`, 'utf8'), name);
}

/** After the colon: 8 columns of what was received, 8 of what was sent; the second of each are packets. */
export function parsePackets(netDev: string, name: string): number | undefined {
  for (const line of netDev.split('\n')) {
    const [interfaceName, columns] = line.split(':');
    if (interfaceName?.trim() !== name || columns === undefined) continue;
    const numbers = columns.trim().split(/\s+/).map(Number);
    const [received = 0, sent = 0] = [numbers[1], numbers[9]];
    // What lo sends it receives: one packet in both columns.
    return name === 'lo' ? received : received + sent;
  }
  return undefined;
}
