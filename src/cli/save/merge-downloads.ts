import { onAbort } from '../../base/on-abort.ts';
import { nameProblems } from '../../commands/address-names.ts';
import { type CaptureOutput, type Writing, writeCapture } from '../../commands/capture-output.ts';
import { type ScannedCaptures, scanUsable } from '../../commands/merge-inputs.ts';
import { MergeReport } from '../../commands/merge-report.ts';
import { mergedCapture } from '../../commands/merged-capture.ts';
import type { NamedCapture } from '../../commands/open-capture.ts';
import { sideProblems } from '../../commands/side-problems.ts';
import { exitCodes, printMessage } from '../../commands/terminal.ts';
import type { RecordingRequest } from '../api/capture-stream.ts';
import { foreignText, ownInterfaces } from '../api/own-interfaces.ts';
import { type CommandContext, CommandFailure } from '../cli-command.ts';
import { ownCapture } from './own-capture.ts';
import type { SaveOptions } from './save-arguments.ts';
import {
  isIncomplete,
  missingLines,
  missingSummary,
  packetsText,
  type SavedRecording,
} from './saved-recordings.ts';
import { savedSize } from './saved-size.ts';
import type { SpoolFile } from './spool-file.ts';

export type MergeDownloads = {
  readonly options: SaveOptions;
  readonly to: string;
  readonly recordings: readonly (SavedRecording & {
    readonly request: RecordingRequest;
    readonly file: SpoolFile;
  })[];
  readonly warnings: readonly string[];
  readonly output: CaptureOutput;
  /** When the command began; performance.now(). */
  readonly startMs: number;
  readonly context: Pick<CommandContext, 'terminal' | 'signal'>;
};

/** Merges what was downloaded into the output, which says at its start what is missing in it. Returns the exit code. */
export async function mergeDownloads(downloads: MergeDownloads): Promise<number> {
  const { options, to, output, context } = downloads;
  const { terminal, signal } = context;
  const { captures, empty, damage, recordings } = await scan(downloads);
  const work = { ...downloads, recordings };
  const downloaded = recordings.filter(({ download }) => download.kind === 'downloaded');
  const missing = missingLines(work);
  if (downloaded.length === 0) throw new CommandFailure(nothingSaved(missingSummary(work)), exitCodes.failed);
  const report = new MergeReport(terminal, captures, to === '-' ? 'stdout' : 'file');
  report.damaged(damage);
  if (options.side !== undefined) report.problems(sideProblems(captures));
  if (options.names) report.problems(nameProblems(captures));
  await using merged = mergedCapture({
    options: { ...options, since: undefined, until: undefined, waitSeconds: 1 },
    captures,
    empty,
    ...(missing.length > 0 && { comment: missing.join('\n') }),
    onGap: (gap) => report.gap(gap),
    onDamage: (found) => report.damaged(found),
    onSideProblem: (problem) => report.problems([problem]),
  });
  let bytes = 0;
  const end = await writeCapture(merged.chunks, unlessAborted(output, signal), (written) => {
    bytes = written;
    report.progress(written);
  });
  report.end();
  if (signal.aborted && end.kind === 'failed') {
    printMessage(terminal, interruptedMessage);
    throw signal.reason;
  }
  switch (end.kind) {
    case 'problem':
    case 'failed':
      throw new CommandFailure(end.message, exitCodes.failed);
    case 'closed':
      return exitCodes.done;
    case 'end': {
      report.done(merged.counts, { packets: end.packets, captures: recordings.length, to: undefined });
      printMessage(terminal, summary(work, { packets: end.packets, bytes, saved: downloaded.length }));
      printLines(terminal, missingSummary(work));
      return report.isIncomplete || isIncomplete(work) ? exitCodes.incomplete : exitCodes.done;
    }
  }
}

export const interruptedMessage = 'interrupted: nothing was saved';

function nothingSaved(missing: readonly string[]): string {
  return ['nothing was saved', ...shortened(missing)].join('\n');
}

/** What is no capture is a failure of its own recording. */
async function scan({
  options: { side, names },
  recordings,
  context,
}: MergeDownloads): Promise<ScannedCaptures & Pick<MergeDownloads, 'recordings'>> {
  const named = new Map(
    recordings
      .filter(({ download }) => download.kind === 'downloaded')
      .map((recording) => [captureOf(recording, context), recording]),
  );
  const scanned = await scanUsable([...named.keys()], { withAddresses: side !== undefined || names });
  const messages = new Map(scanned.unusable.map(({ capture, message }) => [named.get(capture), message]));
  return {
    ...scanned,
    recordings: recordings.map((recording) => {
      const message = messages.get(recording);
      return message === undefined
        ? recording
        : {
            ...recording,
            download: { kind: 'failed', message: `what was downloaded is no capture: ${message}` },
          };
    }),
  };
}

function captureOf(
  { name, request, file }: MergeDownloads['recordings'][number],
  { terminal }: MergeDownloads['context'],
): NamedCapture {
  const own = ownInterfaces(request, (foreign) => printMessage(terminal, foreignText(name, foreign)));
  return ownCapture(file.capture(name), own);
}

/** Takes no more bytes once the command is to end, also while a pipe takes none. */
function unlessAborted(output: CaptureOutput, signal: AbortSignal): CaptureOutput {
  const unless = async (write: CaptureOutput['complete']): Promise<Writing> => {
    const { promise: aborted, resolve } = Promise.withResolvers<Writing>();
    using _ = onAbort(signal, () => resolve({ kind: 'failed', message: interruptedMessage }));
    return await (signal.aborted ? aborted : Promise.race([write(), aborted]));
  };
  return {
    write: (bytes) => unless(() => output.write(bytes)),
    complete: () => unless(() => output.complete()),
    [Symbol.asyncDispose]: () => output[Symbol.asyncDispose](),
  };
}

type Saved = { readonly packets: number; readonly bytes: number; readonly saved: number };

function summary({ to, startMs }: MergeDownloads, { packets, bytes, saved }: Saved): string {
  const pods = saved === 1 ? '1 Pod' : `${saved} Pods`;
  const where = to === '-' ? '' : ` to ${to}`;
  const seconds = ((performance.now() - startMs) / 1_000).toFixed(1);
  return `saved ${packetsText(packets)} of ${pods} (${savedSize(bytes)})${where} in ${seconds} s`;
}

function printLines(terminal: CommandContext['terminal'], lines: readonly string[]): void {
  for (const line of shortened(lines)) printMessage(terminal, line);
}

/** About as many as fit on a screen; the file has them all. */
const mostLines = 15;

function shortened(lines: readonly string[]): readonly string[] {
  const more = lines.length - mostLines;
  return more > 0 ? [...lines.slice(0, mostLines), `${more} more like these`] : lines;
}
