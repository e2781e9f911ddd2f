import { stat } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { ifExists, isSystemError } from '../base/fs-errors.ts';
import { nameProblems } from './address-names.ts';
import { type CaptureOutput, openCaptureOutput, writeCapture } from './capture-output.ts';
import { type MergeArguments, mergeArguments } from './merge-arguments.ts';
import { type EmptyCapture, type ScannedCapture, scanCaptures } from './merge-inputs.ts';
import { MergeReport } from './merge-report.ts';
import { mergedCapture } from './merged-capture.ts';
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

/** Merges what was asked for, and says how that went. Returns the exit code. */
export async function merge(options: MergeArguments, terminal: MergeTerminal): Promise<number> {
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

async function write({ options, captures, empty, output, report }: Write): Promise<number> {
  await using merged = mergedCapture({
    options,
    captures,
    empty,
    onGap: (gap) => report.gap(gap),
    onDamage: (damage) => report.damaged(damage),
    onSideProblem: (problem) => report.problems([problem]),
  });
  const end = await writeCapture(merged.chunks, output, (bytes) => report.progress(bytes));
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
