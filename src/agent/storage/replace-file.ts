import { rename, unlink, writeFile } from 'node:fs/promises';
import { ifExists } from '../../base/fs-errors.ts';

/** Replaces the file by rename, so that a reader never sees half of it. */
export async function replaceFile(path: string, text: string): Promise<void> {
  // tcpdump's user may write into a Pod's folder: a link that it left there must not be followed.
  await ifExists(unlink(`${path}.new`));
  await writeFile(`${path}.new`, text, { flag: 'wx' });
  await rename(`${path}.new`, path);
}
