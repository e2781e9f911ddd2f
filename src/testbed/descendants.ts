import { readdir, readFile } from 'node:fs/promises';
import { parseProcessStat } from '../base/process-stat.ts';

/** A process and all its descendants. Read from stat: not every kernel has /proc/<pid>/task/<tid>/children. */
export async function withDescendants(pid: number): Promise<number[]> {
  const parents = await parentsOfAll();
  const found = [pid];
  for (const parent of found)
    for (const [child, childParent] of parents)
      if (childParent === parent && !found.includes(child)) found.push(child);
  return found;
}

async function parentsOfAll(): Promise<ReadonlyMap<number, number | undefined>> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const parents = await Promise.all(
    pids.map(async (pid) => {
      const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
      return [Number(pid), parseProcessStat(stat)?.parent] as const;
    }),
  );
  return new Map(parents);
}
