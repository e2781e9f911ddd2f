import { readFile } from 'node:fs/promises';
import { until } from '../../src/base/until.ts';
import { allProcessIds } from './pod-processes.ts';

/** The tcpdumps of live captures, on any Node: those that write to their standard output. */
export async function tapTcpdumps(): Promise<number[]> {
  const found = await Promise.all(
    (await allProcessIds()).map(async (pid) => {
      const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
      return command.startsWith('tcpdump\0') && command.includes('\0-w\0-\0') ? [pid] : [];
    }),
  );
  return found.flat();
}

/** Waits until that many run; returns them. */
export async function waitForTaps(count: number, { deadlineMs = 10_000 } = {}): Promise<number[]> {
  return await until(
    async () => {
      const pids = await tapTcpdumps();
      return pids.length === count && pids;
    },
    { what: `${count} tcpdumps of live captures`, deadlineMs },
  );
}
