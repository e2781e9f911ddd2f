import { rename, unlink, writeFile } from 'node:fs/promises';
import { ifExists } from '../../base/fs-errors.ts';

/** By rename, so that a reader never sees half of it. */
export async function replaceFile(path: string, text: string): Promise<void> {
  // tcpdump's user may write into a Pod's folder: never through a link that it left there.
  await ifExists(unlink(`${path}.new`));
  await writeFile(`${path}.new`, text, { flag: 'wx' });
  await rename(`${path}.new`, path);
}
