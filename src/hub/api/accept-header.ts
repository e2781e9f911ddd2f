/** One media range of an Accept header. */
export type MediaRange = {
  /** In lower case, without parameters; `*` is possible for both parts. */
  readonly type: string;
  /** By name in lower case, without q. */
  readonly parameters: ReadonlyMap<string, string>;
};

/** kubectl sends three ranges; browsers send up to ten. */
const acceptBounds = { textBytes: 4_096, ranges: 32 } as const;

/**
 * The media ranges of an Accept header, the preferred first: by q, then as they are written, as kube-apiserver does.
 * Leaves out what q=0 excludes and what is malformed. Without a header, everything is accepted. Undefined: it is longer
 * than any client's.
 */
export function acceptedRanges(header: string | undefined): readonly MediaRange[] | undefined {
  if (header === undefined || header.trim() === '') return [{ type: '*/*', parameters: new Map() }];
  if (header.length > acceptBounds.textBytes) return undefined;
  const texts = header.split(',');
  if (texts.length > acceptBounds.ranges) return undefined;
  return texts
    .flatMap((text) => mediaRange(text) ?? [])
    .filter(({ q }) => q > 0)
    .toSorted((a, b) => b.q - a.q)
    .map(({ range }) => range);
}

/** Whether a range includes application/json. */
export function includesJson({ type }: MediaRange): boolean {
  return ['application/json', 'application/*', '*/*'].includes(type);
}

function mediaRange(text: string): { readonly range: MediaRange; readonly q: number } | undefined {
  const [type = '', ...rest] = text.split(';').map((part) => part.trim());
  if (!/^[-\w!#$&^.+*]+\/[-\w!#$&^.+*]+$/.test(type)) return undefined;
  const parameters = new Map<string, string>();
  for (const part of rest) {
    const [name = '', value = ''] = part.split('=', 2).map((each) => each.trim());
    parameters.set(name.toLowerCase(), value.replace(/^"(.*)"$/, '$1'));
  }
  const q = quality(parameters.get('q'));
  if (q === undefined) return undefined;
  parameters.delete('q');
  return { range: { type: type.toLowerCase(), parameters }, q };
}

function quality(text: string | undefined): number | undefined {
  if (text === undefined) return 1;
  return /^(0([.][0-9]{0,3})?|1([.]0{0,3})?)$/.test(text) ? Number(text) : undefined;
}
