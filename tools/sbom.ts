import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as v from 'valibot';
import { componentsOf } from './sbom/components.ts';
import { openImage } from './sbom/image-contents.ts';
import { cycloneDx, licenseList } from './sbom/sbom-document.ts';
import { must } from './shell.ts';
import { checkout } from './target.ts';

/** `make sbom`: builds the image and writes what is in it to build/sbom.cdx.json and, for people, build/licenses.md. */
export async function sbom(): Promise<number> {
  await must(process.execPath, [`${checkout}/tools/build-image.ts`, 'build']);
  const { document, licenses } = await billOf(join(checkout, 'build/podcap.tar'));
  await mkdir(join(checkout, 'build'), { recursive: true });
  await write('build/sbom.cdx.json', `${JSON.stringify(document, undefined, 2)}\n`);
  await write('build/licenses.md', licenses);
  return 0;
}

/** Returns the contents of an image of this checkout, which is a docker-archive. */
export async function billOf(archive: string) {
  await using image = await openImage(archive);
  const components = await componentsOf(image, await readJson('package-lock.json'));
  const { version } = v.parse(v.object({ version: v.string() }), await readJson('package.json'));
  return {
    components,
    document: cycloneDx({ version, imageId: image.imageId, created: image.created }, components),
    licenses: licenseList(components),
  };
}

async function readJson(file: string): Promise<unknown> {
  return JSON.parse(await readFile(join(checkout, file), 'utf8'));
}

async function write(file: string, content: string): Promise<void> {
  await writeFile(join(checkout, file), content);
  process.stdout.write(`${file}\n`);
}
