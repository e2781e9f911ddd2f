import type { SbomComponent } from './sbom-component.ts';

export type Subject = {
  readonly version: string;
  /** sha256 of the image's configuration: docker's image id, in hexadecimal. */
  readonly imageId: string;
  /** RFC 3339: when the image was made. */
  readonly created: string;
};

/** A bill of materials in CycloneDX 1.6 (ECMA-424); the same image gives the same text. */
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
    components: components.map(({ kind, name, version: own, purl, licences, sha512 }) => ({
      type: kind,
      'bom-ref': purl,
      name,
      version: own,
      purl,
      ...(licences.length > 0 && { licenses: licences.map((licence) => ({ license: { name: licence } })) }),
      ...(sha512 !== undefined && { hashes: [{ alg: 'SHA-512', content: sha512 }] }),
    })),
    dependencies: [{ ref: image, dependsOn: components.map(({ purl }) => purl) }],
  };
}

/** For people: what the image carries, and under which licences. */
export function licenceList(components: readonly SbomComponent[]): string {
  const rows = components.map(
    ({ name, version, licences }) =>
      `| ${name} | ${version} | ${licences.join(', ') || 'see its copyright file'} |`,
  );
  return [
    '# Licences of what the image carries',
    '',
    'Podcap itself: Apache-2.0. The texts are in the image, below `/usr/share/doc`.',
    '',
    '| what | version | licences |',
    '| --- | --- | --- |',
    ...rows,
    '',
  ].join('\n');
}
