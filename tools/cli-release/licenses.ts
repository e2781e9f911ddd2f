import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Metafile } from 'esbuild';
import { temporaryFolder } from '../../src/testbed/temporary-folder.ts';
import { output } from '../shell.ts';
import { checkout } from '../target.ts';

/** The licenses of the npm packages in a bundle, as tools/notices.ts prints them for the image. */
export async function bundleLicenses(metafile: Metafile): Promise<string> {
  await using folder = await temporaryFolder();
  const path = join(folder.path, 'bundle.json');
  await writeFile(path, JSON.stringify(metafile));
  return await output(process.execPath, [
    '--disable-warning=ExperimentalWarning',
    `${checkout}/tools/notices.ts`,
    path,
  ]);
}

/** The same with that of Node.js, which names those of everything in it. */
export async function executableLicenses(licenses: string, nodeLicense: string): Promise<string> {
  return `${licenses}== Node.js\n\n${await readFile(nodeLicense, 'utf8')}`;
}
