import { acceptedRanges, includesJson, type MediaRange } from './accept-header.ts';

/** How captures are written: as they are, as a Table for people, or their metadata alone. */
export type Representation =
  | { readonly kind: 'object' }
  | { readonly kind: 'table'; readonly version: MetaVersion }
  | { readonly kind: 'metadata'; readonly version: MetaVersion };

/** Of meta.k8s.io. */
export type MetaVersion = 'v1' | 'v1beta1';

/** What a request reads: one object, a list, or changes. */
export type ReadKind = 'get' | 'list' | 'watch';

/** The representation that the client prefers among those that there are; undefined: none of them. */
export function chooseRepresentation(accept: string | undefined, read: ReadKind): Representation | undefined {
  for (const range of acceptedRanges(accept) ?? []) {
    const representation = includesJson(range) ? representationOf(range, read) : undefined;
    if (representation) return representation;
  }
  return undefined;
}

/** The content type of an answer. Of a watch, clients of Kubernetes read it with and without `stream`. */
export function contentTypeOf(read: ReadKind): string {
  return read === 'watch' ? 'application/json;stream=watch' : 'application/json';
}

function representationOf({ parameters }: MediaRange, read: ReadKind): Representation | undefined {
  const as = parameters.get('as');
  if ((parameters.get('stream') ?? 'watch') !== 'watch') return undefined;
  if (as === undefined) return { kind: 'object' };
  const version = metaVersion(parameters.get('v'));
  if (parameters.get('g') !== 'meta.k8s.io' || version === undefined) return undefined;
  if (as === 'Table') return { kind: 'table', version };
  const metadataKind = read === 'list' ? 'PartialObjectMetadataList' : 'PartialObjectMetadata';
  return as === metadataKind ? { kind: 'metadata', version } : undefined;
}

function metaVersion(text: string | undefined): MetaVersion | undefined {
  return text === 'v1' || text === 'v1beta1' ? text : undefined;
}
