import { randomBytes } from 'node:crypto';
import { rename, unlink, writeFile } from 'node:fs/promises';
import { ifExists } from '../../base/fs-errors.ts';

/** Replaces the file by rename, so that a reader never sees half of it. */
export async function replaceFile(path: string, text: string): Promise<void> {
  const written = await writeBeside(path, text);
  await rename(written, path);
}

/** The name of the file that a temporary one is to replace; that name itself for any other. */
export function replacedName(name: string): string {
  return name.replace(/(\.[0-9a-f]{12})?\.new$/, '');
}

/** tcpdump's user may write into a Pod's folder: a link that it left there must not be followed, nor a folder removed. */
async function writeBeside(path: string, text: string): Promise<string> {
  const usual = `${path}.new`;
  const isFree = await ifExists(unlink(usual)).then(
    () => true,
    () => false,
  );
  const name = isFree ? usual : `${path}.${randomBytes(6).toString('hex')}.new`;
  await writeFile(name, text, { flag: 'wx' });
  return name;
}
