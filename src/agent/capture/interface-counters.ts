import { readFile } from 'node:fs/promises';

/**
 * Returns how many packets a network interface has received and sent since it was made; undefined if there is no such
 * interface. /proc/<pid>/net is that of the process's network namespace (proc(5)), so the agent need not enter it.
 * Throws if the process is gone.
 */
export async function readInterfacePackets(pid: number, name: string): Promise<number | undefined> {
  return parsePackets(await readFile(`/proc/${pid}/net/dev`, 'utf8'), name);
}

/** /proc/net/dev has 8 columns received and 8 columns sent after the colon; the second of each are packets. Pure. */
export function parsePackets(netDev: string, name: string): number | undefined {
  for (const line of netDev.split('\n')) {
    const [interfaceName, columns] = line.split(':');
    if (interfaceName?.trim() !== name || columns === undefined) continue;
    const numbers = columns.trim().split(/\s+/).map(Number);
    const [received = 0, sent = 0] = [numbers[1], numbers[9]];
    // lo receives what it sends: each packet is in both columns.
    return name === 'lo' ? received : received + sent;
  }
  return undefined;
}
