/**
 * Returns why an interface cannot be captured with a filter, for people, if a line of the preload library says so
 * (preload/filter.c); undefined for any other line. Pure.
 */
export function parseFilterProblem(line: string): string | undefined {
  if (line === 'podcap: filter takes too long to compile') return 'it takes too long to compile';
  const compiling = /^podcap: filter not compiled for (?<linkType>\S+ \(.*?\)): (?<words>.*)$/.exec(line);
  if (compiling?.groups) {
    const { linkType, words } = compiling.groups;
    return `the interface has the link type ${linkType}: ${words}`;
  }
  const attaching =
    /^podcap: filter of (?<count>\d+) instructions(?<loop> with a loop)? not in the kernel: (?<error>\w+)$/.exec(
      line,
    );
  if (!attaching?.groups) return undefined;
  const { count, loop, error } = attaching.groups;
  const why = whyNotInKernel({ count: Number(count), hasLoop: loop !== undefined, error: error ?? '' });
  return `the kernel cannot run it, and without the kernel packets would be lost: ${why}`;
}

/** BPF_MAXINSNS. */
const maxInstructions = 4_096;

function whyNotInKernel({
  count,
  hasLoop,
  error,
}: {
  readonly count: number;
  readonly hasLoop: boolean;
  readonly error: string;
}): string {
  if (hasLoop) return 'it has a loop, as protochain does';
  if (count > maxInstructions)
    return `it compiles to ${count} instructions, and at most ${maxInstructions} are allowed`;
  if (error === 'ENOMEM')
    return `it compiles to ${count} instructions, for which net.core.optmem_max does not allow enough memory`;
  if (error === 'EOPNOTSUPP')
    return 'it reads a part of the link-layer header that this interface does not have';
  return error;
}
