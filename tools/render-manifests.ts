import { writeFile } from 'node:fs/promises';
import { renderManifests } from './manifests.ts';
import { tool } from './shell.ts';
import { checkout } from './target.ts';

/** `make render`: writes the manifests that manifests.ts renders to deploy/, and prints their paths. */
await tool(async () => {
  for (const [file, content] of await renderManifests()) {
    await writeFile(`${checkout}/${file}`, content);
    process.stdout.write(`${file}\n`);
  }
  return 0;
});
