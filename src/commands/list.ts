import { readStates } from '../agent/observability/state-file.ts';
import { allRings, openRecordingSnapshot } from '../agent/storage/recording-snapshot.ts';
import type { Recording } from '../agent/storage/recordings.ts';
import { bootClock } from '../base/clock.ts';
import { plainJson } from '../base/plain-text.ts';
import { firstTimeUs, lastTimeUs } from '../pcap/join/source.ts';
import { recordingsIn } from './find-recording.ts';
import { listText } from './list-layout.ts';
import { type ListedRecording, listedOf, listedWithoutFiles } from './listed-recording.ts';
import { type ListArguments, listArguments } from './read-arguments.ts';
import { exitCodes, printMessage, printText, type Terminal } from './terminal.ts';

/** `podcap list`: prints the captures on this Node. Returns the exit code. */
export async function listCommand(args: readonly string[], terminal: Terminal): Promise<number> {
  const parsed = listArguments(args, terminal.env);
  switch (parsed.kind) {
    case 'help':
      return await printText(terminal, parsed.text);
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
  const [states, clock] = await Promise.all([readStates(capturesFolder), bootClock()]);
  const listed = listedWithoutFiles(states, recordings);
  for (const recording of recordings) {
    listed.push({ ...listedOf(recording, states, clock), ...(await timesOf(recording, terminal)) });
  }
  const sorted = listed.toSorted((a, b) => compare(`${a.namespace}\0${a.pod}`, `${b.namespace}\0${b.pod}`));
  const text = output === 'json' ? `${plainJson(sorted)}\n` : listText(sorted, columnsOf(terminal));
  return await printText(terminal, text);
}

/** A terminal that does not say how wide it is has the usual 80 columns. */
function columnsOf({ stdout: { isTTY, columns } }: Terminal): number | undefined {
  return isTTY === true ? columns || 80 : undefined;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Prints a message for each file that cannot be read. */
async function timesOf(
  recording: Recording,
  terminal: Terminal,
): Promise<Pick<ListedRecording, 'first' | 'last'>> {
  await using snapshot = await openRecordingSnapshot(recording, allRings);
  for (const note of snapshot.notes) printMessage(terminal, note);
  let first = Infinity;
  let last = -Infinity;
  for (const source of snapshot.sources) {
    first = Math.min(first, (await firstTimeUs(source)) ?? Infinity);
    last = Math.max(last, (await lastTimeUs(source)) ?? -Infinity);
  }
  if (first === Infinity || last === -Infinity) return {};
  return { first: rfc3339(first), last: rfc3339(last) };
}

function rfc3339(timeUs: number): string {
  return new Date(Math.floor(timeUs / 1_000)).toISOString();
}
