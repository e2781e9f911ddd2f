import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { built } from '../../tools/go-program.ts';
import { template } from '../../tools/manifests.ts';

/** The exit code of helm, and all that it printed. */
export type HelmResult = { readonly code: unknown; readonly output: string };

/** Renders the chart with the values of a file; `-` reads them from `input`. Does not throw if helm fails. */
export async function render(file: string, input = '', options: readonly string[] = []): Promise<HelmResult> {
  return await helm([...template('test'), '--values', file, ...options], input);
}

/** Runs helm, which is built at its first use. Does not throw if it fails. */
export async function helm(args: readonly string[], input = ''): Promise<HelmResult> {
  const child = spawn(await built('helm'), args);
  child.stdin.end(input);
  const [stdout, stderr, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'close'),
  ]);
  return { code, output: stdout + stderr };
}
