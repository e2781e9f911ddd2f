/**
 * Those of one start of tcpdump that tcpdump can have written, by index. A hole that is wider than all files together is
 * none of a ring: what is beyond it is a name that somebody else has chosen. The files on this side are those around
 * `lastIndex`, the newest one that is known, or else the most. Pure.
 */
export function writtenFiles<File extends { readonly index: number }>(
  files: readonly File[],
  lastIndex: number,
): readonly File[] {
  const groups: File[][] = [];
  for (const file of files.toSorted((a, b) => a.index - b.index)) {
    const group = groups.at(-1);
    const before = group?.at(-1);
    if (group && before && file.index - before.index <= files.length) group.push(file);
    else groups.push([file]);
  }
  const around = groups.find((group) => group.some(({ index }) => index === lastIndex));
  return around ?? groups.reduce((most, group) => (group.length > most.length ? group : most), []);
}
