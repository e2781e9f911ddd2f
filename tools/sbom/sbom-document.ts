import type { SbomComponent } from './sbom-component.ts';

/** The image that the bill is about. */
export type Subject = {
  readonly version: string;
  /** The SHA-256 of the image's configuration, which is docker's image id, in hexadecimal. */
  readonly imageId: string;
  /** When the image was built, in RFC 3339. */
  readonly created: string;
};

/** Returns a bill of materials in CycloneDX 1.6 (ECMA-424). It is always the same for the same image. */
export function cycloneDx(
  { version, imageId, created }: Subject,
  components: readonly SbomComponent[],
): object {
  const image = `podcap@${version}`;
  return {
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    version: 1,
    metadata: {
      timestamp: created,
      component: {
        type: 'container',
        'bom-ref': image,
        name: 'podcap',
        version,
        licenses: [{ license: { id: 'Apache-2.0' } }],
        hashes: [{ alg: 'SHA-256', content: imageId }],
      },
    },
    components: components.map(({ kind, name, version: componentVersion, purl, licenses, sha512 }) => ({
      type: kind,
      'bom-ref': purl,
      name,
      version: componentVersion,
      purl,
      ...(licenses.length > 0 && { licenses: licenses.map((license) => ({ license: { name: license } })) }),
      ...(sha512 !== undefined && { hashes: [{ alg: 'SHA-512', content: sha512 }] }),
    })),
    dependencies: [{ ref: image, dependsOn: components.map(({ purl }) => purl) }],
  };
}

/** Returns a table of the components and their licenses, in Markdown. */
export function licenseList(components: readonly SbomComponent[]): string {
  const rows = components.map(
    ({ name, version, licenses }) =>
      `| ${name} | ${version} | ${licenses.join(', ') || 'see its copyright file'} |`,
  );
  return [
    '# Licenses of everything in the image',
    '',
    'Podcap itself: Apache-2.0. The texts are in the image, under `/usr/share/doc`.',
    '',
    '| component | version | licenses |',
    '| --- | --- | --- |',
    ...rows,
    '',
  ].join('\n');
}
