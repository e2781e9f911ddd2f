import { readFile } from 'node:fs/promises';
import { type InterfaceCounters, parseNetDev } from '../../base/net-dev.ts';
import type { Tcpdump } from './tcpdump.ts';

/** What an interface had counted, under the name that it had then. */
export type InterfaceReading = { readonly name: string; readonly counters: InterfaceCounters };

/** The interface of one capture, which a rename does not change. */
export type InterfaceReader = {
  /** Undefined if it cannot be read. Never rejects. */
  readonly read: () => Promise<InterfaceReading | undefined>;
  /** Whether it had that name when tcpdump last counted: if it had not, the counters may be another interface's. */
  readonly isSure: (reading: InterfaceReading) => boolean;
};

/** The interface that tcpdump captures, which had that name when it was started. */
export function interfaceReader(
  tcpdump: Pick<Tcpdump, 'pid' | 'capturedInterface'>,
  requestedName: string,
): InterfaceReader {
  const nameNow = () => tcpdump.capturedInterface()?.name ?? requestedName;
  return {
    async read() {
      const pid = tcpdump.pid();
      const name = nameNow();
      const counters = pid === undefined ? undefined : await readInterface(pid, name).catch(() => undefined);
      return counters && { name, counters };
    },
    isSure: ({ name }) => name === nameNow(),
  };
}

/**
 * Returns what a network interface has counted since it was created; undefined if there is none of that name.
 * /proc/<pid>/net is that of the process's network namespace (proc(5)), so the agent need not enter it. Throws if the
 * process is gone.
 */
export async function readInterface(pid: number, name: string): Promise<InterfaceCounters | undefined> {
  return parseNetDev(await readFile(`/proc/${pid}/net/dev`, 'utf8'), name);
}

/** How many packets have passed that interface. lo receives what it sends: each packet is in both counters. Pure. */
export function passedPackets({
  name,
  counters: { receivedPackets, sentPackets },
}: InterfaceReading): number {
  return name === 'lo' ? receivedPackets : receivedPackets + sentPackets;
}
