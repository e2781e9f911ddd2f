import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { Failed } from './shell.ts';
import { checkout } from './target.ts';

/** Returns the content of a file as `make format` would write it. */
export async function formatted(file: string, unformatted: string): Promise<string> {
  const biome = spawn(`${checkout}/node_modules/.bin/biome`, ['format', `--stdin-file-path=${file}`], {
    cwd: checkout,
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  biome.stdin.end(unformatted);
  const [content, [code]] = await Promise.all([text(biome.stdout), once(biome, 'close')]);
  if (code !== 0) throw new Failed(`biome cannot format ${file}`);
  return content;
}
