import { writeFile } from 'node:fs/promises';
import { renderDocuments } from './documents.ts';
import { tool } from './shell.ts';
import { checkout } from './target.ts';

/** `make docs`: writes the documents that are made of the agent's own tables. */
await tool(async () => {
  for (const [file, content] of await renderDocuments()) {
    await writeFile(`${checkout}/${file}`, content);
    process.stdout.write(`${file}\n`);
  }
  return 0;
});
