import { build } from 'esbuild';

/** Bundles a program for Node.js as the Dockerfile does. */
export async function bundleProgram(entryPoint: string, outfile: string): Promise<void> {
  await build({
    entryPoints: [entryPoint],
    outfile,
    bundle: true,
    platform: 'node',
    target: 'node24',
    format: 'cjs',
    supported: { using: true },
  });
}
