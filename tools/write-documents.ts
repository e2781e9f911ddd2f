import { writeFile } from 'node:fs/promises';
import { renderDocuments } from './documents.ts';
import { tool } from './shell.ts';
import { checkout } from './target.ts';

/** `make docs`: writes the documents that documents.ts renders to docs/ and README, and prints their paths. */
await tool(async () => {
  for (const [file, content] of await renderDocuments()) {
    await writeFile(`${checkout}/${file}`, content);
    process.stdout.write(`${file}\n`);
  }
  return 0;
});
