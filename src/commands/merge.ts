import type { Readable } from 'node:stream';
import type { CaptureInterface } from '../pcap/capture-interface.ts';
import { mergeCaptures } from '../pcap/merge/merge-captures.ts';
import { MergedPackets } from '../pcap/merge/merged-packets.ts';
import { addressNames } from './address-names.ts';
import { type CaptureOutput, openCaptureOutput } from './capture-output.ts';
import { captureWriter } from './capture-writer.ts';
import { inputStatistics } from './input-statistics.ts';
import { type MergeArguments, mergeArguments } from './merge-arguments.ts';
import { mergeInputs, namedInterface, type ScannedCapture, scanCaptures } from './merge-inputs.ts';
import { MergeReport } from './merge-report.ts';
import { packetSelection } from './merge-selection.ts';
import { type NamedCapture, namedCapture } from './open-capture.ts';
import type { Written } from './standard-output.ts';
import {
  defaultUnreadSeconds,
  exitCodes,
  printMessage,
  printText,
  type Terminal,
  unreadMessage,
} from './terminal.ts';

export type MergeTerminal = Terminal & { readonly stdin: Readable };

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
  if (options.to === '-' && terminal.stdout.isTTY === true) {
    printMessage(
      terminal,
      'a capture file cannot be shown on a terminal: redirect the output, or use --to <file>',
    );
    return exitCodes.usage;
  }
  const named = await nameCaptures(options.files, terminal.stdin);
  if ('message' in named) return fail(terminal, named.message);
  const scan = await scanCaptures(named, { withAddresses: options.side !== undefined || options.names });
  if (scan.kind === 'unusable') return fail(terminal, scan.message);
  const { captures, damage } = scan;
  const report = new MergeReport(terminal, captures);
  report.damaged(damage);
  const opened = await openCaptureOutput(options.to, terminal);
  if (opened.kind === 'unusable') return fail(terminal, opened.message);
  await using output = opened.output;
  return await write({ options, captures, output, report, terminal });
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
      if (!(error instanceof Error && 'syscall' in error)) throw error;
      return { message: `${file} cannot be read: ${error.message}` };
    }
  }
  return named;
}

type Write = {
  readonly options: MergeArguments;
  readonly captures: readonly ScannedCapture[];
  readonly output: CaptureOutput;
  readonly report: MergeReport;
  readonly terminal: Terminal;
};

/** A pipe that sends nothing for this long is not waited for any more. */
const slowAfterMs = 2_000;

async function write({ options, captures, output, report, terminal }: Write): Promise<number> {
  const counted = inputStatistics();
  const describe = (input: number, description: CaptureInterface) =>
    namedInterface(description, captures[input]?.capture.name ?? '');
  const { inputs, isOpen, ended } = mergeInputs(captures);
  const areFiles = captures.every(({ capture }) => capture.fileBytes !== undefined);
  await using merged = new MergedPackets(inputs, {
    slowAfterMs: areFiles ? Infinity : slowAfterMs,
    onGap: (gap) => report.gap(gap),
    onEnd(input) {
      const reader = ended(input);
      if (!reader) return;
      counted.add(reader, (description) => describe(input, description));
      report.damaged(reader.damage);
    },
  });
  const writer = captureWriter(options.format);
  if (options.names) writer.writeNames(addressNames(captures, describe));
  const keeps = packetSelection({ ...options, captures, isCapturing: isOpen });
  const interfaces = captures.flatMap((capture, input) =>
    capture.interfaces.map((each) => describe(input, each)),
  );
  const chunks = mergeCaptures({
    merged,
    writer,
    interfaces,
    describe,
    keeps,
    droppedBefore: () => 0,
    known: counted.known,
  });
  let writtenBytes = 0;
  let writing: Promise<Written> = Promise.resolve('written');
  for (;;) {
    // Merges the next chunk while the one before it is written.
    const merging = chunks.next();
    merging.catch(() => {});
    const written = await writing;
    if (written === 'unread') return fail(terminal, unreadMessage(defaultUnreadSeconds));
    if (written === 'closed') return exitCodes.done;
    const chunk = await merging;
    if (chunk.done) {
      if (chunk.value.kind === 'problem') return fail(terminal, chunk.value.message);
      await output.complete();
      report.done(merged.counts, {
        packets: chunk.value.packets,
        to: options.to === '-' ? undefined : options.to,
      });
      return report.isIncomplete ? exitCodes.incomplete : exitCodes.done;
    }
    writing = output.write(chunk.value);
    // Thrown when it is awaited, in the next turn.
    writing.catch(() => {});
    writtenBytes += chunk.value.length;
    report.progress(writtenBytes);
  }
}

function fail(terminal: Terminal, message: string): number {
  printMessage(terminal, message);
  return exitCodes.failed;
}
