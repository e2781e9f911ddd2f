import { buildBinaries, moduleOf } from '../cluster/binaries.ts';
import { cacheFolder } from '../cluster/layout.ts';
import { checkout } from './target.ts';

/** Returns the path of a program that is built from its Go module when it is first used: helm, promtool. */
export async function built(program: string): Promise<string> {
  const module = moduleOf(program);
  const binaries =
    module && (await buildBinaries([module], { checkout, cache: cacheFolder(process.env), say }));
  const path = binaries?.get(program);
  if (path === undefined) throw new Error(`no Go module of cluster/modules builds ${program}`);
  return path;
}

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}
