import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { build } from 'esbuild';
import * as v from 'valibot';
import { run } from '../../src/testbed/run-program.ts';

/** How many packets a second are decoded into lines, in one thread. */
export type DecodeSpeed = {
  readonly inNode: () => Promise<number>;
  /** In Debian's chromium, without a window. */
  readonly inChromium: () => Promise<number>;
};

/** Bundles one program for both, into a folder. */
export async function decodeSpeed(folder: string): Promise<DecodeSpeed> {
  const program = join(folder, 'decode.js');
  await build({
    entryPoints: [join(import.meta.dirname, 'decode-program.ts')],
    outfile: program,
    bundle: true,
    platform: 'browser',
    format: 'iife',
    target: 'es2024',
  });
  const page = join(folder, 'decode.html');
  await writeFile(
    page,
    '<body><script src="decode.js"></script><script>document.body.append(result)</script>',
  );
  // Its sandbox does not work as root.
  const flags = ['--headless', '--no-sandbox', '--disable-gpu', `--user-data-dir=${join(folder, 'profile')}`];
  return {
    inNode: async () => parseResult(await run([process.execPath, program])),
    inChromium: async () => parseResult(await run(['chromium', ...flags, '--dump-dom', `file://${page}`])),
  };
}

const resultSchema = v.object({ linesPerSecond: v.number(), characters: v.pipe(v.number(), v.minValue(1)) });

/** Finds what the program prints, or what the page shows. */
function parseResult(text: string): number {
  const json = /\{"linesPerSecond".*?\}/.exec(text)?.[0];
  if (json === undefined) throw new Error(`no result of the decoder: ${text}`);
  return v.parse(resultSchema, JSON.parse(json)).linesPerSecond;
}
