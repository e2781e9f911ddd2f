import { choiceProblem, ringsOf } from '../agent/storage/chosen-rings.ts';
import { recordingCapture } from '../agent/storage/recording-capture.ts';
import { openRecordingSnapshot } from '../agent/storage/recording-snapshot.ts';
import type { Recording } from '../agent/storage/recordings.ts';
import type { GenerationSource, Snapshot } from '../agent/storage/snapshot.ts';
import { isSystemError } from '../base/fs-errors.ts';
import { captureToStandardOutput, writeCapture } from './capture-output.ts';
import { choose, describe, recordingsIn } from './find-recording.ts';
import { megabytes, progressOn } from './progress.ts';
import { type ReadArguments, readArguments } from './read-arguments.ts';
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

  const problem = choiceProblem(recording, options);
  if (problem) return fail(terminal, problem.message);
  try {
    await using snapshot = await openRecordingSnapshot(recording, (current) => ringsOf(current, options));
    return await write(snapshot, options, terminal);
  } catch (error) {
    if (!isSystemError(error)) throw error;
    return fail(terminal, `the capture files cannot be read: ${error.message}`);
  }
}

async function write(
  { sources, notes }: Snapshot,
  { format, unreadSeconds, ...range }: ReadArguments,
  terminal: Terminal,
): Promise<number> {
  for (const note of notes) printMessage(terminal, note);
  if (sources.length === 0) return fail(terminal, 'there is no capture file yet');
  await using capture = await recordingCapture(sources, { format, range });
  await using output = captureToStandardOutput(terminal, unreadSeconds, { mustKeepUp: true });
  const progress = progressOn(terminal, { dataTo: 'stdout' });
  const end = await writeCapture(capture.chunks, output, (bytes) =>
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
      for (const { message } of capture.damage()) printMessage(terminal, message);
      return notes.length + capture.damage().length > 0 ? exitCodes.incomplete : exitCodes.done;
  }
}

/** pcap has no place for something: the generations say which of them can be read alone. */
function withGenerations(message: string, sources: readonly GenerationSource[]): string {
  const types = sources.map(
    ({ generation, header }) => `  --generation ${generation}  link type ${header.linkType}`,
  );
  return [message, 'or read the generations one by one:', ...types].join('\n');
}

function severalPods(recording: Recording, others: readonly Recording[]): string {
  const lines = [recording, ...others].map((each) => `  ${describe(each)}`);
  return ['several Pods had that name; the first of these is read:', ...lines].join('\n');
}
