import type { IncomingHttpHeaders } from 'node:http2';
import { countsByUser } from '../../base/counts-by-user.ts';
import { linkReaderHeader } from '../../link/protocol.ts';

/** How many may read at the same time. One reader, however many streams it opens, leaves a quarter of the places to others. */
export type ReaderPlaces = {
  readonly taken: () => number;
  /** Counts a reader until it is disposed of; or says why there is no place. */
  readonly take: (headers: IncomingHttpHeaders) => ReaderPlace;
};

export type ReaderPlace =
  | ({ readonly kind: 'taken' } & Disposable)
  /** `mostPerReader`: this reader has as many as one may have. Undefined: all places are taken. */
  | { readonly kind: 'full'; readonly mostPerReader: number | undefined };

export function readerPlaces(most: number): ReaderPlaces {
  const mostPerReader = Math.ceil((most * 3) / 4);
  const counts = countsByUser();
  return {
    taken: counts.all,
    take(headers) {
      if (counts.all() >= most) return { kind: 'full', mostPerReader: undefined };
      const reader = readerOf(headers);
      if (reader !== undefined && counts.of(reader) >= mostPerReader) return { kind: 'full', mostPerReader };
      return { kind: 'taken', ...counts.enter(reader) };
    },
  };
}

/** Undefined: of a hub that does not say who reads. */
function readerOf(headers: IncomingHttpHeaders): string | undefined {
  const given = headers[linkReaderHeader];
  return typeof given === 'string' && given !== '' ? given : undefined;
}
