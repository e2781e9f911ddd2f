import { join } from 'node:path';
import { imageStart } from '../../src/testbed/image-entrypoint.ts';
import type { Argv } from '../../src/testbed/run-program.ts';
import { checkout } from '../../tools/target.ts';
import { bundleProgram } from './bundle.ts';

/** How the image runs the commands of Podcap: its bundle, its environment, and its flags of Node. */
export type PodcapProgram = {
  /** The arguments of podcap follow. */
  readonly command: Argv;
  readonly env: Readonly<Record<string, string>>;
};

/** Bundles Podcap of this checkout into a folder. */
export async function podcapProgram(folder: string): Promise<PodcapProgram> {
  const bundle = join(folder, 'podcap.cjs');
  await bundleProgram(join(checkout, 'src/commands/main.ts'), bundle);
  const { commandFlags, environment } = await imageStart();
  return { command: [process.execPath, ...commandFlags, bundle], env: environment };
}
