import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { delimiter, join } from 'node:path';

/** The path of a program that is looked up in PATH, or given with a path; undefined if there is none that can be run. */
export async function findProgram(program: string, env: NodeJS.ProcessEnv): Promise<string | undefined> {
  if (program.includes('/')) return (await canRun(program)) ? program : undefined;
  for (const folder of (env['PATH'] ?? '').split(delimiter)) {
    // As for a shell, an empty entry is the current folder.
    const path = join(folder === '' ? '.' : folder, program);
    if (await canRun(path)) return path.includes('/') ? path : `./${path}`;
  }
  return undefined;
}

async function canRun(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return (await stat(path)).isFile();
  } catch {
    return false;
  }
}
