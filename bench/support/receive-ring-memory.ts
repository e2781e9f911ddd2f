import { readFile } from 'node:fs/promises';

/** The receive rings of these processes, in MiB: memory of the kernel that each of them has mapped, perhaps twice. */
export async function receiveRingMib(pids: readonly number[]): Promise<number> {
  const rings = await Promise.all(
    pids.map(async (pid) => receiveRings(await readFile(`/proc/${pid}/maps`, 'utf8').catch(() => ''))),
  );
  const bytes = new Map(rings.flatMap((ofProcess) => [...ofProcess]));
  return [...bytes.values()].reduce((sum, each) => sum + each, 0) / 2 ** 20;
}

/** The bytes of each mapped socket by its inode, from proc_pid_maps(5). */
function receiveRings(maps: string): Map<string, number> {
  return new Map(
    [...maps.matchAll(/^(\w+)-(\w+) .* socket:\[(\d+)\]$/gm)].map(([, from, to, inode = '']) => [
      inode,
      Number.parseInt(to ?? '', 16) - Number.parseInt(from ?? '', 16),
    ]),
  );
}
