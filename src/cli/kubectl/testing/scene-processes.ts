import { readdir, readFile } from 'node:fs/promises';
import { until } from '../../../base/until.ts';

/** A process, by what `ps` shows of it. */
export type SceneProcess = { readonly pid: number; readonly argv: readonly string[] };

/** The processes whose arguments have this text, such as the path of a kubeconfig. */
export async function processesWith(text: string): Promise<SceneProcess[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const all = await Promise.all(
    pids.map(async (pid) => {
      const line = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
      return { pid: Number(pid), argv: line.split('\0').slice(0, -1) };
    }),
  );
  return all.filter(({ argv }) => argv.some((argument) => argument.includes(text)));
}

/** Waits until there is a `kubectl proxy` with this text in its arguments. */
export async function proxyWith(text: string): Promise<SceneProcess> {
  return await until(
    async () =>
      (await processesWith(text)).find(({ argv }) => argv[0] !== '/bin/sh' && argv.includes('proxy')),
    { what: 'kubectl proxy to run' },
  );
}

/** The socket of a `kubectl proxy`. */
export function socketOf({ argv }: SceneProcess): string {
  return argv.find((argument) => argument.startsWith('--unix-socket='))?.replace(/^[^=]*=/, '') ?? '';
}

/** Waits until no process has this text in its arguments; returns true then. */
export async function areNoneWith(text: string): Promise<boolean> {
  return await until(async () => (await processesWith(text)).length === 0, {
    what: `all processes of ${text} to end`,
    everyMs: 20,
  });
}
