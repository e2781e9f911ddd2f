import { readdir, readFile } from 'node:fs/promises';
import { parseProcessStat } from '../../src/base/process-stat.ts';
import { withDescendants } from '../../src/testbed/descendants.ts';

/** What a leak in a process would add to. */
export type ProcessResources = {
  readonly rssAnonKib: number;
  readonly descriptors: number;
  /** Its descendants: of an agent podcap-spawner, the tcpdumps, and anything else it has started. */
  readonly processes: number;
};

/** What a process uses now. */
export async function processResources(pid: number): Promise<ProcessResources> {
  const [status, descriptors, processes] = await Promise.all([
    readFile(`/proc/${pid}/status`, 'utf8'),
    readdir(`/proc/${pid}/fd`),
    withDescendants(pid),
  ]);
  return {
    rssAnonKib: rssAnonKib(status),
    descriptors: descriptors.length,
    processes: processes.length - 1,
  };
}

/** RssAnon of /proc/<pid>/status, in KiB. */
export function rssAnonKib(status: string): number {
  return Number(/^RssAnon:\s+(\d+) kB$/m.exec(status)?.[1]);
}

/** When a process started, in milliseconds since 1970 (from clock ticks of 10 ms). */
export async function processStartMs(pid: number): Promise<number> {
  const [stat, uptime] = await Promise.all([
    readFile(`/proc/${pid}/stat`, 'utf8'),
    readFile('/proc/uptime', 'utf8'),
  ]);
  const ticks = Number(parseProcessStat(stat)?.startTime);
  return Date.now() - Number(uptime.split(' ')[0]) * 1_000 + ticks * 10;
}
