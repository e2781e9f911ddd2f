import { outputTo, type Written } from '../../commands/standard-output.ts';
import {
  cannotWrite,
  exitCodes,
  pausedUnreadSeconds,
  printMessage,
  unreadMessage,
} from '../../commands/terminal.ts';
import { acceptedPaths } from '../api/api-paths.ts';
import type { Cluster } from '../api/cluster.ts';
import { missingNamespace } from '../api/missing-namespace.ts';
import { type CliCommand, type CommandContext, CommandFailure, type GivenArguments } from '../cli-command.ts';
import { wrongUsage } from '../given-arguments.ts';
import type { Kubectl } from '../kubectl/kubectl.ts';
import { openCluster } from '../kubectl/open-cluster.ts';
import { hasColours } from '../live/line-colours.ts';
import { placeFlagsOf, suggestedCommand } from '../suggested-command.ts';
import { type ListViewArguments, listArguments, listFormats } from './list-arguments.ts';
import {
  failingMessage,
  type ListPlace,
  leftOutMessage,
  nothingListed,
  notRecorded,
} from './list-messages.ts';
import { type ListPrinter, listPrinter, type PrintedCapture } from './list-printer.ts';
import {
  captureKey,
  type ListedCapture,
  type ListedCaptures,
  type ListedQuery,
  listedCaptures,
} from './listed-captures.ts';
import { isAnywhere, sortColumnNames, sortedCaptures } from './sort-captures.ts';
import { watchList } from './watch-list.ts';

export const listCommand: CliCommand = {
  name: 'list',
  summary: 'list what is being captured, and what was',
  usage: '[POD...] [-l SELECTOR] [-A] [options]',
  description: `Prints a row for each Pod of which something is recorded, also of Pods that are
gone. If a Pod was created again under its name, the row is of the newest one.

What is in the files: FILES, SIZE, PACKETS and SPAN, the time from the first
packet to the last. What is not: DROPPED by the kernel because tcpdump was too
slow; LOST when a capture stopped; MISSED while nothing listened, at most;
UNSEEN by tcpdump although the interface counted them, at least (12+: known
only of a part). What is not known is <unknown>, never 0.

On a narrow terminal, the least important columns are left out. To sort by a
column, give its name:
${sortColumnNames().slice(0, 10).join(', ')},
${sortColumnNames().slice(10).join(', ')}.

If the agents of some Nodes do not answer, or some of the Pods that are named
have no capture, the exit code is 3.`,
  options: [
    { name: 'all-namespaces', short: 'A', description: 'the captures of all namespaces' },
    { name: 'selector', short: 'l', value: 'SELECTOR', description: 'captures of Pods with these labels' },
    {
      name: 'output',
      short: 'o',
      value: 'FORMAT',
      choices: listFormats,
      description: 'wide: with all columns; json, yaml: the objects of the API; name: names alone',
    },
    {
      name: 'sort-by',
      value: 'KEY',
      description: 'a column, or the path of a field, such as .status.recordings[0].bytes',
    },
    { name: 'watch', short: 'w', description: 'print the row of each capture that changes, until Ctrl-C' },
  ],
  examples: [
    { purpose: 'See what is being captured in this namespace', command: 'kubectl podcap list' },
    {
      purpose: 'Find the captures that use the most space, in all namespaces',
      command: 'kubectl podcap list -A --sort-by size',
    },
    {
      purpose: 'Watch the captures of the Pods with a label',
      command: 'kubectl podcap list -l app=web --watch',
    },
  ],
  positionals: 'captures',
  run: list,
};

async function list(given: GivenArguments, context: CommandContext): Promise<number> {
  const { terminal, kubectl, signal } = context;
  const asked = listArguments(given);
  const hasNames = asked.names.length > 0;
  const { capture, captures } = acceptedPaths;
  const paths = [...(hasNames ? [capture] : []), ...(hasNames && !asked.isWatch ? [] : [captures])];
  await using cluster = await openCluster(kubectl, paths, signal);
  const query: ListedQuery = { ...asked, namespace: asked.hasAllNamespaces ? undefined : cluster.namespace };
  const listed = await listedCaptures(cluster, query, signal);
  const place: ListPlace = { ...query, namespaceFlag: namespaceFlag(asked, kubectl) };
  const sorted = inOrder(listed.captures, asked);
  const printer = listPrinter({
    ...asked,
    hasNamespaces: asked.hasAllNamespaces,
    hasColours: hasColours(terminal),
    columns: terminal.stdout.isTTY === true ? terminal.stdout.columns || undefined : undefined,
    isEachAlone: asked.isWatch || asked.names.length === 1,
  });
  return await printList(
    cluster,
    { asked, query, place, listed: { ...listed, captures: sorted }, printer },
    context,
  );
}

/** What the next command needs to look at the same place. */
function namespaceFlag({ hasAllNamespaces }: ListViewArguments, kubectl: Kubectl): string {
  const [all, namespace] = hasAllNamespaces ? [' -A', undefined] : ['', kubectl.namespace];
  return suggestedCommand(all, { placeFlags: placeFlagsOf({ ...kubectl, namespace }) });
}

function inOrder(
  captures: readonly ListedCapture[],
  { sortBy, sortText }: ListViewArguments,
): readonly ListedCapture[] {
  const byName = captures.toSorted((a, b) => (captureKey(a) < captureKey(b) ? -1 : 1));
  if (sortBy === undefined) return byName;
  if (byName.length > 0 && !isAnywhere(byName, sortBy))
    throw wrongUsage(`none of the captures has ${sortText}`);
  return sortedCaptures(byName, sortBy);
}

type PrintList = {
  readonly asked: ListViewArguments;
  readonly query: ListedQuery;
  readonly place: ListPlace;
  readonly listed: ListedCaptures;
  readonly printer: ListPrinter;
};

async function printList(
  cluster: Cluster,
  { asked, query, place, listed, printer }: PrintList,
  context: CommandContext,
): Promise<number> {
  const { captures, missing, warnings } = listed;
  const { terminal } = context;
  using output = outputTo(terminal.stdout, { unreadMs: pausedUnreadSeconds * 1_000 });
  const print = async (some: readonly PrintedCapture[]) =>
    await written(output.write(Buffer.from(printer.text(some, Date.now()))));
  for (const warning of warnings) printMessage(terminal, `warning: ${warning.replace(/^podcap: /, '')}`);
  const noNamespace =
    captures.length === 0 && query.namespace !== undefined
      ? await missingNamespace(cluster, query.namespace, context.signal)
      : undefined;
  if (noNamespace !== undefined) {
    printMessage(terminal, noNamespace);
    return exitCodes.failed;
  }
  if (missing.length > 0) printMessage(terminal, notRecorded(missing, place));
  if (missing.length > 0 && captures.length === 0) return exitCodes.failed;
  const isTable = asked.format === 'table' || asked.format === 'wide';
  if (captures.length === 0 && isTable) printMessage(terminal, nothingListed(place));
  const first = captures.length === 0 && (isTable || asked.isWatch) ? 'written' : await print(captures);
  if (first !== 'written') return endOf(first, context);
  if (isTable && terminal.stdout.isTTY === true) printHints(context, { captures, printer, place });
  if (asked.isWatch)
    return endOf(await watchList(cluster, { query, printed: captures, print, context }), context);
  const isIncomplete = missing.length > 0 || warnings.some((warning) => warning.startsWith('podcap: '));
  return isIncomplete ? exitCodes.incomplete : exitCodes.done;
}

function printHints(
  { terminal }: CommandContext,
  { captures, printer, place }: Pick<ListedCaptures, 'captures'> & Pick<PrintList, 'printer' | 'place'>,
): void {
  const hints = [leftOutMessage(printer.leftOut()), failingMessage(captures, place.namespaceFlag)];
  for (const hint of hints) if (hint !== undefined) printMessage(terminal, hint);
}

async function written(writing: Promise<Written>): Promise<Written> {
  try {
    return await writing;
  } catch (error) {
    throw new CommandFailure(cannotWrite('standard output', error), exitCodes.failed, { cause: error });
  }
}

/** The exit code once nothing more is written: a reader that has what it wants, as head has, is no failure. */
function endOf(end: Written, { terminal }: CommandContext): number {
  if (end !== 'unread') return exitCodes.done;
  printMessage(terminal, unreadMessage(pausedUnreadSeconds));
  return exitCodes.failed;
}
