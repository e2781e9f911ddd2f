import type { IncomingHttpHeaders } from 'node:http2';
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
  const byReader = new Map<string, number>();
  let all = 0;

  function change(reader: string | undefined, by: 1 | -1): void {
    all += by;
    if (reader === undefined) return;
    const count = (byReader.get(reader) ?? 0) + by;
    if (count === 0) byReader.delete(reader);
    else byReader.set(reader, count);
  }

  return {
    taken: () => all,
    take(headers) {
      if (all >= most) return { kind: 'full', mostPerReader: undefined };
      const reader = readerOf(headers);
      if (reader !== undefined && (byReader.get(reader) ?? 0) >= mostPerReader)
        return { kind: 'full', mostPerReader };
      change(reader, 1);
      let isTaken = true;
      return {
        kind: 'taken',
        [Symbol.dispose]() {
          if (isTaken) change(reader, -1);
          isTaken = false;
        },
      };
    },
  };
}

/** Undefined: of a hub that does not say who reads. */
function readerOf(headers: IncomingHttpHeaders): string | undefined {
  const given = headers[linkReaderHeader];
  return typeof given === 'string' && given !== '' ? given : undefined;
}
