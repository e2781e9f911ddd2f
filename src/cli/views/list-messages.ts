import { shellWord } from '../target-arguments.ts';
import { type ListedCapture, type ListedQuery } from './listed-captures.ts';

/** Where a list looks: `namespaceFlag` is what the next command needs for the same, with a space before it. */
export type ListPlace = Pick<ListedQuery, 'namespace' | 'labelSelector'> & { readonly namespaceFlag: string };

/** That there is nothing, and what to do. */
export function nothingListed({ namespace, labelSelector, namespaceFlag }: ListPlace): string {
  const where = namespace === undefined ? 'any namespace' : `namespace ${namespace}`;
  const flag = namespace === undefined ? ' -n NAMESPACE' : namespaceFlag;
  if (labelSelector !== undefined) {
    return (
      `nothing is recorded of Pods in ${where} that ${labelSelector} selects\n` +
      `kubectl podcap start -l ${shellWord(labelSelector)}${flag} starts a capture of those that there are`
    );
  }
  const elsewhere =
    namespace === undefined ? '' : '\nkubectl podcap list -A shows the captures of all namespaces';
  return `nothing is recorded in ${where}\nkubectl podcap start POD${flag} starts a capture${elsewhere}`;
}

/** That Pods that were named have no capture, and what to do. */
export function notRecorded(
  names: readonly string[],
  { namespace = '', namespaceFlag }: Pick<ListPlace, 'namespace' | 'namespaceFlag'>,
): string {
  const what = names.length === 1 ? `Pod ${names[0]}` : `the Pods ${names.join(', ')}`;
  return (
    `nothing is recorded of ${what} in namespace ${namespace}\n` +
    `kubectl podcap start ${names.join(' ')}${namespaceFlag} starts a capture`
  );
}

/** How many columns a narrow terminal has not; undefined if it has all. */
export function leftOutMessage(headings: readonly string[]): string | undefined {
  const [first, ...others] = headings;
  if (first === undefined) return undefined;
  const what = others.length === 0 ? `column ${first} does` : `${headings.length} columns do`;
  return `${what} not fit: see -o wide`;
}

/** How many captures do not run as they should, and how to find out why; undefined if all do. */
export function failingMessage(
  captures: readonly ListedCapture[],
  namespaceFlag: string,
): string | undefined {
  const failing = captures.filter(({ capture: { status } }) => {
    const [newest] = status.recordings;
    return newest?.phase === 'Refused' || newest?.phase === 'Failed';
  }).length;
  if (failing === 0) return undefined;
  const what =
    failing === 1 ? '1 capture was refused or has failed' : `${failing} captures were refused or have failed`;
  return `${what}: kubectl podcap check${namespaceFlag} says why`;
}
