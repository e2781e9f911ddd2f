import type { RecordingGeneration } from '../agent/storage/recorded-generations.ts';
import {
  allRings,
  type ChosenRings,
  openRecordingSnapshot,
  ringOfRecording,
} from '../agent/storage/recording-snapshot.ts';
import type { Recording } from '../agent/storage/recordings.ts';
import type { GenerationSource, Snapshot } from '../agent/storage/snapshot.ts';
import { isSystemError } from '../base/fs-errors.ts';
import { joinedPackets } from '../pcap/join/join.ts';
import { findOverlap } from '../pcap/join/overlap.ts';
import { mergeCaptures } from '../pcap/merge/merge-captures.ts';
import type { CurrentPacket } from '../pcap/packet-reader.ts';
import { isInRange } from './capture-options.ts';
import { captureToStandardOutput, writeCapture } from './capture-output.ts';
import { captureWriter } from './capture-writer.ts';
import { choose, describe, recordingsIn } from './find-recording.ts';
import { megabytes, progressOn } from './progress.ts';
import { type ReadArguments, readArguments } from './read-arguments.ts';
import { recordingInterfaces } from './recording-interfaces.ts';
import { exitCodes, fail, printMessage, printText, type Terminal } from './terminal.ts';

/** `podcap read`: writes the packets of one Pod to standard output, as one capture file. Returns the exit code. */
export async function readCommand(args: readonly string[], terminal: Terminal): Promise<number> {
  const parsed = readArguments(args, terminal.env);
  switch (parsed.kind) {
    case 'help':
      return await printText(terminal, parsed.text);
    case 'invalid':
      printMessage(terminal, `${parsed.message}\nTry podcap read --help.`);
      return exitCodes.usage;
    case 'arguments':
      if (terminal.stdout.isTTY === true) {
        printMessage(
          terminal,
          'a capture file cannot be shown on a terminal: redirect the output, as in podcap read ... > web.pcapng',
        );
        return exitCodes.usage;
      }
      return await readPod(parsed.arguments, terminal);
  }
}

async function readPod(options: ReadArguments, terminal: Terminal): Promise<number> {
  const recordings = await recordingsIn(options.capturesFolder);
  if ('message' in recordings) return fail(terminal, recordings.message);
  const found = choose(recordings, options.pod);
  if (found.kind === 'not-found') return fail(terminal, found.message);
  const { recording, others } = found;
  if (others.length > 0) printMessage(terminal, severalPods(recording, others));

  const problem = problemOf(recording, options);
  if (problem !== undefined) return fail(terminal, problem);
  try {
    await using snapshot = await openRecordingSnapshot(recording, (current) => ringsOf(current, options));
    return await write(snapshot, options, terminal);
  } catch (error) {
    if (!isSystemError(error)) throw error;
    return fail(terminal, `the capture files cannot be read: ${error.message}`);
  }
}

type Chosen = Pick<ReadArguments, 'frozen' | 'generation'>;

/** The rings to read, oldest first, each with its generations. */
function ringsOf(recording: Recording, { frozen, generation }: Chosen): ChosenRings {
  const isChosen = ({ number }: RecordingGeneration) => generation === undefined || number === generation;
  return chosenRings(recording, frozen).map((ring) => ring.filter(isChosen));
}

function chosenRings(recording: Recording, frozen: Chosen['frozen']): ChosenRings {
  if (frozen === undefined) return ringOfRecording(recording);
  if (frozen === 'all') return allRings(recording);
  return recording.frozen.flatMap((ring) => (ring.record.number === frozen ? [ring.generations] : []));
}

/** Why that cannot be read; undefined if it can. */
function problemOf(recording: Recording, chosen: Chosen): string | undefined {
  const { frozen, generation } = chosen;
  if (typeof frozen === 'number') {
    const ring = recording.frozen.find(({ record }) => record.number === frozen);
    if (ring && !ring.record.frozen)
      return `ring ${frozen} is still being frozen: until then it is read without --frozen`;
    const have = recording.frozen.flatMap(({ record }) => (record.frozen ? record.number : []));
    if (!ring) return `no frozen ring ${frozen}: this Pod has ${have.join(', ') || 'none'}`;
  }
  const all = chosenRings(recording, frozen).flat();
  if (generation !== undefined && !all.some(({ number }) => number === generation))
    return `no generation ${generation}: this Pod has ${numbers(all)}`;
  return undefined;
}

async function write(
  { sources, notes }: Snapshot,
  { format, unreadSeconds, ...range }: ReadArguments,
  terminal: Terminal,
): Promise<number> {
  for (const note of notes) printMessage(terminal, note);
  if (sources.length === 0) return fail(terminal, 'there is no capture file yet');
  const overlap = await findOverlap(sources);
  await using output = captureToStandardOutput(terminal, unreadSeconds);
  const { interfaces, known, droppedBefore } = recordingInterfaces(sources);
  await using joined = joinedPackets({ sources, overlap, interfaces });
  const chunks = mergeCaptures({
    merged: { next: () => joined.next(), input: 0, reader: joined },
    writer: captureWriter(format),
    interfaces,
    describe: (_, description) => description,
    keeps: (packet) => isInRange(range, packet),
    droppedBefore: firstOfEach(sources, droppedBefore),
    known,
  });
  const progress = progressOn(terminal, { dataTo: 'stdout' });
  const end = await writeCapture(chunks, output, (bytes) =>
    progress.show(() => `reading: ${megabytes(bytes)}`),
  );
  progress.clear();
  switch (end.kind) {
    case 'problem':
      return fail(terminal, withGenerations(end.message, sources));
    case 'failed':
      return fail(terminal, end.message);
    case 'closed':
      return exitCodes.done;
    case 'end':
      for (const { message } of joined.damage) printMessage(terminal, message);
      return joined.damage.length > 0 ? exitCodes.incomplete : exitCodes.done;
  }
}

/**
 * For the first packet of each source: how many are missing since the packet before it of the same interface, also where
 * sources between the two have no packets. 0 for the first packet of an interface.
 */
function firstOfEach(
  sources: readonly Pick<GenerationSource, 'interfaceName'>[],
  droppedBefore: (source: number) => number,
): (packet: CurrentPacket) => number {
  /** The newest source of each interface that has had a packet. */
  const newest = new Map<string, number>();
  return ({ interfaceIndex: source }) => {
    const name = sources[source]?.interfaceName ?? '';
    const before = newest.get(name);
    if (before !== undefined && source <= before) return 0;
    newest.set(name, source);
    let dropped = 0;
    for (let next = (before ?? source) + 1; next <= source; next += 1)
      if (sources[next]?.interfaceName === name) dropped += droppedBefore(next);
    return dropped;
  };
}

/** pcap has no place for something: the generations say which of them can be read alone. */
function withGenerations(message: string, sources: readonly GenerationSource[]): string {
  const types = sources.map(
    ({ generation, header }) => `  --generation ${generation}  link type ${header.linkType}`,
  );
  return [message, 'or read the generations one by one:', ...types].join('\n');
}

function numbers(generations: readonly RecordingGeneration[]): string {
  return generations.length === 0 ? 'none' : generations.map(({ number }) => number).join(', ');
}

function severalPods(recording: Recording, others: readonly Recording[]): string {
  const lines = [recording, ...others].map((each) => `  ${describe(each)}`);
  return ['several Pods had that name; the first of these is read:', ...lines].join('\n');
}
