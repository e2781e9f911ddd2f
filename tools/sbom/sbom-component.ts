/** Something in the image that has a version and licenses. */
export type SbomComponent = {
  readonly kind: 'operating-system' | 'application' | 'library';
  readonly name: string;
  readonly version: string;
  /** The package URL, which is unique among the components. */
  readonly purl: string;
  /** SPDX identifiers if its authors give them, otherwise Debian's names of licenses. */
  readonly licenses: readonly string[];
  /** The checksum of the package that it came from, in hexadecimal. */
  readonly sha512?: string;
};
