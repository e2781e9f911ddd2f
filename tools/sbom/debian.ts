import type { SbomComponent } from './sbom-component.ts';

/** A paragraph of /var/lib/dpkg/status. */
export type DebianPackage = {
  readonly name: string;
  readonly version: string;
  readonly architecture: string;
  /** The source package; undefined if it has the same name. */
  readonly source: string | undefined;
};

/** Returns the packages that are installed. Format: deb822(5), fields as in dpkg-query(1). */
export function installedPackages(status: string): DebianPackage[] {
  return status.split(/\n{2,}/).flatMap((paragraph) => {
    const field = (name: string) => new RegExp(`^${name}: (.*)$`, 'm').exec(paragraph)?.[1];
    const [name, version, architecture] = [field('Package'), field('Version'), field('Architecture')];
    const isInstalled = field('Status')?.endsWith(' installed') ?? false;
    if (!isInstalled || name === undefined || version === undefined || architecture === undefined) return [];
    return [{ name, version, architecture, source: field('Source')?.replace(/ \(.*/, '') }];
  });
}

/** Returns the SBOM's entry of a Debian package. `copyright` is its /usr/share/doc/<package>/copyright. */
export function debianComponent(found: DebianPackage, release: string, copyright: string): SbomComponent {
  const { name, version, architecture, source } = found;
  const qualifiers = [`arch=${architecture}`, `distro=debian-${release}`];
  if (source !== undefined) qualifiers.push(`upstream=${encodeURIComponent(source)}`);
  const purl = `pkg:deb/debian/${encodeURIComponent(name)}@${encodeURIComponent(version)}?${qualifiers.join('&')}`;
  return { kind: 'library', name, version, purl, licenses: licensesOf(copyright) };
}

/** As in `GPL-2+ or Artistic` and `BSD-3-clause, and ISC`. */
const betweenLicenses = /\s*,\s*(?:(?:and|or)\s+)?|\s+(?:and\/or|and|or)(?:\s+|$)/i;

/**
 * Returns the names of the licenses in a copyright file: its License fields if it is machine-readable, otherwise the
 * files of /usr/share/common-licenses that it refers to. If there are none, a person has to read it.
 */
export function licensesOf(copyright: string): string[] {
  const isMachineReadable = /^Format(?:-Specification)?:.*(?:copyright-format|dep5|DEP5)/im.test(copyright);
  const names = isMachineReadable
    ? [...copyright.matchAll(/^License: *(.+)$/gm)].flatMap(([, text = '']) => text.split(betweenLicenses))
    : [...copyright.matchAll(/\/usr\/share\/common-licenses\/([A-Za-z0-9.+-]+)/g)].map(
        ([, name = '']) => name,
      );
  return [...new Set(names.map((name) => name.trim().replace(/\.$/, '')))]
    .filter((name) => name !== '')
    .toSorted();
}
