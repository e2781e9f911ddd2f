/** How often there is each number: a multiset, as ranges from a number up to another one that is not in it. */
export class NumberCounts {
  /** In order, each with a count that is not 0. */
  #ranges: readonly CountedRange[];

  constructor(like?: NumberCounts) {
    this.#ranges = like ? like.#ranges : [];
  }

  /** Changes the count of each of these numbers. */
  change(from: number, to: number, by: number): void {
    const parts: CountedRange[] = [];
    let next = from;
    for (const range of this.#ranges) {
      const insideFrom = Math.max(range.from, from);
      const insideTo = Math.min(range.to, to);
      if (insideFrom >= insideTo) {
        parts.push(range);
        continue;
      }
      parts.push({ ...range, to: insideFrom }, { ...range, from: insideTo });
      parts.push({ from: next, to: insideFrom, count: by });
      parts.push({ from: insideFrom, to: insideTo, count: range.count + by });
      next = insideTo;
    }
    parts.push({ from: next, to, count: by });
    this.#ranges = joined(parts).slice(-mostRanges);
  }

  /** Whether there is at least one of each of these numbers. */
  hasAll(from: number, to: number): boolean {
    let next = from;
    for (const range of this.#ranges) if (range.from <= next && next < range.to) next = range.to;
    return next >= to;
  }
}

type CountedRange = { readonly from: number; readonly to: number; readonly count: number };

/** Of more, the lowest are forgotten. */
const mostRanges = 64;

/** In order, without those that are empty, and with neighbors of the same count as one. */
function joined(parts: readonly CountedRange[]): readonly CountedRange[] {
  const result: CountedRange[] = [];
  for (const part of parts.toSorted((a, b) => a.from - b.from)) {
    if (part.from >= part.to || part.count === 0) continue;
    const last = result.at(-1);
    if (last?.to === part.from && last.count === part.count)
      result[result.length - 1] = { ...last, to: part.to };
    else result.push(part);
  }
  return result;
}
