import { readdir, readFile } from 'node:fs/promises';

/** A process and all its descendants. Read from stat: not every kernel has /proc/<pid>/task/<tid>/children. */
export async function withDescendants(pid: number): Promise<number[]> {
  const parents = await parentsOfAll();
  const found = [pid];
  for (const parent of found)
    for (const [child, childParent] of parents)
      if (childParent === parent && !found.includes(child)) found.push(child);
  return found;
}

async function parentsOfAll(): Promise<ReadonlyMap<number, number>> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const parents = await Promise.all(
    pids.map(async (pid) => {
      const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
      // The program's name, field 2, can have spaces and parentheses.
      return [Number(pid), Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1])] as const;
    }),
  );
  return new Map(parents);
}
