import { readdir, readFile } from 'node:fs/promises';
import { ifExists } from '../../src/base/fs-errors.ts';

/** CPU time of all threads of these processes, in ms; a process that has ended counts as 0. */
export async function cpuMs(pids: readonly number[]): Promise<number> {
  const times = await Promise.all(pids.map(cpuMsOf));
  return times.reduce((sum, ms) => sum + ms, 0);
}

/** Reads schedstat, because /proc/<pid>/stat counts in steps of 10 ms. */
async function cpuMsOf(pid: number): Promise<number> {
  const threads = (await ifExists(readdir(`/proc/${pid}/task`))) ?? [];
  const times = threads.map(async (thread) => {
    const stat = await readFile(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').catch(() => '0');
    return Number(stat.split(' ')[0]) / 1e6;
  });
  return (await Promise.all(times)).reduce((sum, ms) => sum + ms, 0);
}

/** A field of /proc/<pid>/status, in MB of 1,000,000 bytes; throws when the process has no such field. */
export async function memoryMegabytes(pid: number, field: 'RssAnon' | 'VmRSS'): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  const kib = new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1];
  if (kib === undefined) throw new Error(`process ${pid} has no ${field}`);
  return (Number(kib) * 1_024) / 1_000_000;
}
