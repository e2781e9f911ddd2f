import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Prints the license texts of the npm packages in a bundle, because anyone who distributes the image must distribute
 * them too. It runs during the build of the image, without npm packages: `node notices.ts <esbuild's metafile>`.
 */
const { inputs }: { readonly inputs: Readonly<Record<string, unknown>> } = JSON.parse(
  readFileSync(process.argv[2] ?? '', 'utf8'),
);
const folders = new Set(
  Object.keys(inputs).flatMap((file) => /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(file)?.[1] ?? []),
);
for (const folder of [...folders].toSorted()) {
  const texts = readdirSync(folder).filter((name) => /^(?:licen[cs]e|copying|notice)/i.test(name));
  const { name, license }: { readonly name: string; readonly license?: string } = JSON.parse(
    readFileSync(join(folder, 'package.json'), 'utf8'),
  );
  process.stdout.write(`== ${name} (${license ?? 'no license given'})\n\n`);
  for (const text of texts) process.stdout.write(`${readFileSync(join(folder, text), 'utf8').trim()}\n\n`);
}
if (folders.size === 0 || !existsSync('node_modules'))
  throw new Error('the bundle has no npm packages: is this the right folder?');
