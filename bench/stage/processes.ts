import { readdir, readFile } from 'node:fs/promises';
import { ifThere } from '../../src/base/missing.ts';

/** User and system time of all threads of these processes, in ms; a process that has gone counts nothing. */
export async function cpuMs(pids: readonly number[]): Promise<number> {
  const times = await Promise.all(pids.map(cpuMsOf));
  return times.reduce((sum, ms) => sum + ms, 0);
}

/** By schedstat: /proc/<pid>/stat counts in steps of 10 ms. */
async function cpuMsOf(pid: number): Promise<number> {
  const threads = (await ifThere(readdir(`/proc/${pid}/task`))) ?? [];
  const times = threads.map(async (thread) => {
    const stat = await readFile(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').catch(() => '0');
    return Number(stat.split(' ')[0]) / 1e6;
  });
  return (await Promise.all(times)).reduce((sum, ms) => sum + ms, 0);
}

/** A process and all that it has started, and these have. */
export async function withDescendants(pid: number): Promise<number[]> {
  const parents = await parentsOfAll();
  const found = [pid];
  for (const parent of found)
    for (const [child, its] of parents) if (its === parent && !found.includes(child)) found.push(child);
  return found;
}

async function parentsOfAll(): Promise<ReadonlyMap<number, number>> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const parents = await Promise.all(
    pids.map(async (pid) => {
      const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
      // The program's name, field 2, may hold spaces and parentheses.
      return [Number(pid), Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1])] as const;
    }),
  );
  return new Map(parents);
}

/** A field of /proc/<pid>/status in MB of 1,000,000 bytes. */
export async function memoryMegabytes(pid: number, field: 'RssAnon' | 'VmRSS'): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  const kib = new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1];
  if (kib === undefined) throw new Error(`process ${pid} has no ${field}`);
  return (Number(kib) * 1_024) / 1_000_000;
}
