import { type Totals, totalsOf } from '../agent/storage/capture-records.ts';
import { newestRecord, type Recording } from '../agent/storage/recordings.ts';
import { openSnapshot } from '../agent/storage/snapshot.ts';
import { firstTimeUs, lastTimeUs } from '../pcap/source.ts';
import { recordingsIn } from './find-recording.ts';
import { type ListArguments, listArguments } from './read-arguments.ts';
import { exitCodes, printMessage, type Terminal } from './terminal.ts';

/** One row of the list; times are RFC 3339. */
export type ListedRecording = {
  readonly namespace: string;
  readonly pod: string;
  readonly uid: string;
  readonly state: 'capturing' | 'ended';
  readonly files: number;
  readonly bytes: number;
  /** Packets in those files, as last recorded by the agent. */
  readonly packets?: number;
  /** Packets that the interface counted and tcpdump could not get, at least; absent where that is unknown. */
  readonly unseen?: number;
  /** `unseen` is known only of a part of the captures. */
  readonly isUnseenPartial?: true;
  /** The times of the first and the last packet in those files. */
  readonly first?: string;
  readonly last?: string;
};

/** `podcap list`: prints the captures on this Node. Returns the exit code. */
export async function listCommand(args: readonly string[], terminal: Terminal): Promise<number> {
  const parsed = listArguments(args, terminal.env);
  switch (parsed.kind) {
    case 'help':
      terminal.stdout.write(parsed.text);
      return exitCodes.done;
    case 'invalid':
      printMessage(terminal, `${parsed.message}\nTry podcap list --help.`);
      return exitCodes.usage;
    case 'arguments':
      return await list(parsed.arguments, terminal);
  }
}

async function list({ capturesFolder, output }: ListArguments, terminal: Terminal): Promise<number> {
  const recordings = await recordingsIn(capturesFolder);
  if ('message' in recordings) {
    printMessage(terminal, recordings.message);
    return exitCodes.failed;
  }
  const listed: ListedRecording[] = [];
  for (const recording of recordings) listed.push(await listedOf(recording));
  terminal.stdout.write(output === 'json' ? `${JSON.stringify(listed, undefined, 2)}\n` : table(listed));
  return exitCodes.done;
}

async function listedOf({ namespace, pod, uid, generations }: Recording): Promise<ListedRecording> {
  const record = newestRecord(generations);
  const files = generations.flatMap((generation) => generation.files);
  const records = generations.flatMap((generation) => generation.record ?? []);
  const totals = record && totalsOf(records);
  return {
    namespace,
    pod,
    uid,
    state: record && record.endTime === undefined && record.podEndedMs === undefined ? 'capturing' : 'ended',
    files: files.length,
    bytes: files.reduce((sum, { bytes }) => sum + bytes, 0),
    ...(totals && { packets: totals.captured - totals.pruned, ...unseenOf(totals) }),
    ...(await timesOf(generations)),
  };
}

function unseenOf({ unseen, isUnseenPartial }: Totals): Pick<ListedRecording, 'unseen' | 'isUnseenPartial'> {
  return { ...(unseen !== undefined && { unseen }), ...(isUnseenPartial && { isUnseenPartial }) };
}

async function timesOf(
  generations: Recording['generations'],
): Promise<Pick<ListedRecording, 'first' | 'last'>> {
  await using snapshot = await openSnapshot(generations);
  let first = Infinity;
  let last = -Infinity;
  for (const source of snapshot.sources) {
    first = Math.min(first, (await firstTimeUs(source)) ?? Infinity);
    last = Math.max(last, (await lastTimeUs(source)) ?? -Infinity);
  }
  if (first === Infinity || last === -Infinity) return {};
  return { first: rfc3339(first), last: rfc3339(last) };
}

/** With a plus where a part is unknown. */
function unseenCell({ unseen, isUnseenPartial }: ListedRecording): string {
  return unseen === undefined ? '-' : `${unseen}${isUnseenPartial ? '+' : ''}`;
}

function rfc3339(timeUs: number): string {
  return new Date(Math.floor(timeUs / 1_000)).toISOString();
}

const columns = ['NAMESPACE', 'POD', 'UID', 'STATE', 'FILES', 'BYTES', 'PACKETS', 'UNSEEN', 'FIRST', 'LAST'];

function table(listed: readonly ListedRecording[]): string {
  const rows = listed.map((one) =>
    [
      one.namespace,
      one.pod,
      one.uid,
      one.state,
      one.files,
      one.bytes,
      one.packets ?? '-',
      unseenCell(one),
      one.first ?? '-',
      one.last ?? '-',
    ].map(String),
  );
  const all = [columns, ...rows];
  const widths = columns.map((_, at) => Math.max(...all.map((row) => row[at]?.length ?? 0)));
  return all
    .map(
      (row) =>
        `${row
          .map((cell, at) => cell.padEnd(widths[at] ?? 0))
          .join('   ')
          .trimEnd()}\n`,
    )
    .join('');
}
