/** Something that the image carries. */
export type SbomComponent = {
  readonly kind: 'operating-system' | 'application' | 'library';
  readonly name: string;
  readonly version: string;
  /** A package URL, which is also what tells it from every other one. */
  readonly purl: string;
  /** SPDX identifiers where its makers give one, else the names that Debian has for licences. */
  readonly licences: readonly string[];
  /** Of the package that it was taken from, in hexadecimal. */
  readonly sha512?: string;
};
