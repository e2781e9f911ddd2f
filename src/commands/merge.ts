import { stat } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { ifExists, isSystemError } from '../base/fs-errors.ts';
import type { CaptureInterface } from '../pcap/capture-interface.ts';
import { type MergeCaptures, mergeCaptures } from '../pcap/merge/merge-captures.ts';
import { MergedPackets } from '../pcap/merge/merged-packets.ts';
import { captureWriter } from '../pcap/write/capture-writer.ts';
import type { PacketWriter } from '../pcap/write/packet-writer.ts';
import { isFinerThanMicroseconds } from '../pcap/write/pcap-writer.ts';
import { addressNames, nameProblems } from './address-names.ts';
import { type CaptureOutput, openCaptureOutput, writeCapture } from './capture-output.ts';
import { inputNames, namedInterface } from './input-names.ts';
import { type InputStatistics, inputStatistics } from './input-statistics.ts';
import { type MergeArguments, mergeArguments, slowAfterMs } from './merge-arguments.ts';
import { type EmptyCapture, mergeInputs, type ScannedCapture, scanCaptures } from './merge-inputs.ts';
import { MergeReport } from './merge-report.ts';
import { packetSelection } from './merge-selection.ts';
import { fileIdOf, type NamedCapture, namedCapture } from './open-capture.ts';
import { sideProblems } from './side-problems.ts';
import { cannotRead, exitCodes, fail, printMessage, printText, type Terminal } from './terminal.ts';

export type MergeTerminal = Terminal & { readonly stdin: Readable & { readonly isTTY?: boolean } };

/** `podcap merge`: writes the packets of several captures in time order. Returns the exit code. */
export async function mergeCommand(args: readonly string[], terminal: MergeTerminal): Promise<number> {
  const parsed = mergeArguments(args, Date.now());
  switch (parsed.kind) {
    case 'help':
      return await printText(terminal, parsed.text);
    case 'invalid':
      printMessage(terminal, `${parsed.message}\nTry podcap merge --help.`);
      return exitCodes.usage;
    case 'arguments':
      return await merge(parsed.arguments, terminal);
  }
}

async function merge(options: MergeArguments, terminal: MergeTerminal): Promise<number> {
  if (options.files.includes('-') && terminal.stdin.isTTY === true) {
    printMessage(terminal, 'standard input is a terminal: write a capture to it, as in ... | podcap merge -');
    return exitCodes.usage;
  }
  const named = await nameCaptures(options.files, terminal.stdin);
  if ('message' in named) return fail(terminal, named.message);
  if (await isInput(options.to, named)) {
    printMessage(terminal, `${options.to} is one of the files to merge: write to another one`);
    return exitCodes.usage;
  }
  const scan = await scanCaptures(named, { withAddresses: options.side !== undefined || options.names });
  if (scan.kind === 'unusable') return fail(terminal, scan.message);
  const { captures, empty, damage } = scan;
  const report = new MergeReport(terminal, captures, options.to === '-' ? 'stdout' : 'file');
  report.damaged(damage);
  if (options.side !== undefined) report.problems(sideProblems(captures));
  if (options.names) report.problems(nameProblems(captures));
  report.problems(
    empty
      .filter(({ isFileEmpty }) => isFileEmpty)
      .map(({ name }) => `${name} is empty: it has not a single byte`),
  );
  const opened = await openCaptureOutput(options.to, terminal);
  if (opened.kind === 'unusable') {
    printMessage(terminal, opened.message);
    return opened.exitCode;
  }
  await using output = opened.output;
  return await write({ options, captures, empty, output, report });
}

async function nameCaptures(
  files: readonly string[],
  stdin: Readable,
): Promise<readonly NamedCapture[] | { readonly message: string }> {
  const named: NamedCapture[] = [];
  for (const file of files) {
    try {
      named.push(await namedCapture(file, stdin));
    } catch (error) {
      return { message: cannotRead(file, error) };
    }
  }
  return named;
}

/** Merged into itself, a file would have its packets twice the next time. */
async function isInput(to: string, captures: readonly NamedCapture[]): Promise<boolean> {
  const existing = to === '-' ? undefined : await ifExists(stat(to)).catch(unlessSystemError);
  return existing !== undefined && captures.some(({ fileId }) => fileId === fileIdOf(existing));
}

/** What is wrong with the output is said when it is opened. */
function unlessSystemError(error: unknown): undefined {
  if (!isSystemError(error)) throw error;
}

type Write = {
  readonly options: MergeArguments;
  readonly captures: readonly ScannedCapture[];
  readonly empty: readonly EmptyCapture[];
  readonly output: CaptureOutput;
  readonly report: MergeReport;
};

async function write(work: Write): Promise<number> {
  const { options, captures, output, report } = work;
  const describe = describeWith(work);
  const counted = inputStatistics();
  // pcap has no place for what has no packets.
  const idle = options.format === 'pcap' ? [] : idleInterfaces({ ...work, describe, counted });
  await using merged = mergedPackets({ ...work, describe, counted });
  const chunks = mergeCaptures({
    ...packetSelection({
      ...options,
      merged,
      captures,
      onSideProblem: (problem) => report.problems([problem]),
    }),
    writer: writerOf({ ...work, describe }),
    interfaces: [
      ...captures.flatMap((capture, input) =>
        described(capture, options).map((each) => describe(input, each)),
      ),
      ...idle,
    ],
    describe,
    droppedBefore: () => 0,
    known: counted.known,
  });
  const end = await writeCapture(chunks, output, (bytes) => report.progress(bytes));
  switch (end.kind) {
    case 'problem':
    case 'failed':
      return report.failed(end.message);
    case 'closed':
      report.end();
      return exitCodes.done;
    case 'end': {
      const to = options.to === '-' ? undefined : options.to;
      report.done(merged.counts, { packets: end.packets, captures: options.files.length, to });
      return report.isIncomplete ? exitCodes.incomplete : exitCodes.done;
    }
  }
}

/** pcap has no interfaces: one of another link type, of which there is no packet, does no harm. */
function described(
  { interfaces, firstInterface }: ScannedCapture,
  { format }: MergeArguments,
): readonly CaptureInterface[] {
  const linkType = interfaces[firstInterface]?.linkType;
  return format === 'pcap' ? interfaces.filter((each) => each.linkType === linkType) : interfaces;
}

type DescribedWrite = Write & { readonly describe: MergeCaptures['describe'] };
type CountedWrite = DescribedWrite & { readonly counted: InputStatistics };

/** Gives an interface without a name that of its capture. */
function describeWith({ captures, empty }: Write): MergeCaptures['describe'] {
  const names = inputNames([
    ...captures.map(({ capture }) => capture.name),
    ...empty.map(({ name }) => name),
  ]);
  return (input, description) => namedInterface(description, names[input] ?? '');
}

function mergedPackets({ captures, options, report, describe, counted }: CountedWrite): MergedPackets {
  const { inputs, ended } = mergeInputs(captures);
  return new MergedPackets(inputs, {
    ...(areFiles(captures)
      ? { slowAfterMs: Infinity }
      : { slowAfterMs, silentAfterMs: options.waitSeconds * 1_000 }),
    onGap: (gap) => report.gap(gap),
    onEnd(input) {
      const reader = ended(input);
      if (!reader) return;
      counted.add(reader, (description) => describe(input, description));
      report.damaged(reader.damage);
    },
  });
}

function writerOf({ captures, options, describe }: DescribedWrite): PacketWriter {
  const isFine = captures.some(({ interfaces }) => interfaces.some(isFinerThanMicroseconds));
  const writer = captureWriter(options.format, { isFine });
  const podNames = options.names ? addressNames(captures, describe) : [];
  if (podNames.length > 0) writer.writeNames(podNames);
  return writer;
}

/** The interfaces of captures without packets, as in the output; counts what they say. They follow the other inputs. */
function idleInterfaces({ empty, captures, describe, counted }: CountedWrite): readonly CaptureInterface[] {
  return empty.flatMap(({ reader }, at) => {
    const named = (description: CaptureInterface) => describe(captures.length + at, description);
    counted.add(reader, named);
    return reader.interfaces.map(named);
  });
}

/** Only a pipe can be slow. */
function areFiles(captures: readonly ScannedCapture[]): boolean {
  return captures.every(({ capture }) => capture.fileBytes !== undefined);
}
