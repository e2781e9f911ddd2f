import * as v from 'valibot';
import type { SbomComponent } from './sbom-component.ts';

/** esbuild's metafile of a bundle: the files that it was made from. */
export const bundleSchema = v.object({ inputs: v.record(v.string(), v.unknown()) });

/** The packages of package-lock.json, by folder. */
export const lockSchema = v.object({
  packages: v.record(
    v.string(),
    v.object({
      version: v.optional(v.string()),
      license: v.optional(v.string()),
      integrity: v.optional(v.string()),
    }),
  ),
});

/**
 * Returns the npm packages in a bundle.
 *
 * @throws Error if package-lock.json does not have one of them.
 */
export function bundledPackages(
  { inputs }: v.InferOutput<typeof bundleSchema>,
  { packages }: v.InferOutput<typeof lockSchema>,
): SbomComponent[] {
  const folders = new Set(Object.keys(inputs).flatMap((file) => packageFolder(file) ?? []));
  return [...folders].toSorted().map((folder) => {
    const locked = packages[folder];
    if (locked?.version === undefined)
      throw new Error(`package-lock.json has no ${folder}, which is in the bundle`);
    const { version, license, integrity } = locked;
    const name = folder.slice(folder.lastIndexOf('node_modules/') + 'node_modules/'.length);
    const sha512 = /^sha512-(.+)$/.exec(integrity ?? '')?.[1];
    return {
      kind: 'library',
      name,
      version,
      purl: `pkg:npm/${name.replace('@', '%40')}@${version}`,
      licenses: license === undefined ? [] : [license],
      ...(sha512 !== undefined && { sha512: Buffer.from(sha512, 'base64').toString('hex') }),
    };
  });
}

/**
 * Returns the folder of the package that a file belongs to: node_modules/a/node_modules/@b/c for
 * node_modules/a/node_modules/@b/c/lib/d.js. Undefined for a file of the project itself.
 */
export function packageFolder(file: string): string | undefined {
  return /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(file)?.[1];
}
