import { stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname } from 'node:path';
import { backoff as newBackoff } from '../../base/backoff.ts';
import { hasCode, ifExists, isSystemError } from '../../base/fs-errors.ts';
import { semaphore } from '../../base/semaphore.ts';
import { every } from '../../base/timers.ts';
import { openCaptureOutput } from '../../commands/capture-output.ts';
import { type Progress, progressOn } from '../../commands/progress.ts';
import { exitCodes, printMessage } from '../../commands/terminal.ts';
import type { OpenedStream, RecordingRequest } from '../api/capture-stream.ts';
import { type CommandContext, CommandFailure } from '../cli-command.ts';
import { type DownloadProgress, downloadProgress } from './download-progress.ts';
import { type Download, type DownloadLimits, downloadRecording } from './download-recording.ts';
import { type HubOutage, hubOutage } from './hub-outage.ts';
import { interruptedMessage, mergeDownloads } from './merge-downloads.ts';
import type { SaveOptions } from './save-arguments.ts';
import { type SilentDownloads, silentDownloads } from './silent-downloads.ts';
import { openSpoolFile, type SpoolFile } from './spool-file.ts';

/** A recording to be saved. */
export type SaveSource = {
  /** What messages call it: the name of the Pod. */
  readonly name: string;
  readonly request: RecordingRequest;
  /** Where it is, if that is known. */
  readonly node?: string;
  /** Why it is not captured, in words of the agent. */
  readonly trouble?: string;
  /** About how large it is; undefined: unknown. */
  readonly expectedBytes: number | undefined;
};

export type SaveWork = {
  readonly options: SaveOptions;
  /** A path, or `-`. */
  readonly to: string;
  readonly sources: readonly SaveSource[];
  /** What could not be found, in words of the hub. */
  readonly warnings: readonly string[];
  readonly open: (request: RecordingRequest, signal: AbortSignal) => Promise<OpenedStream>;
  readonly context: Pick<CommandContext, 'terminal' | 'signal'>;
  readonly timing?: Partial<SaveTiming>;
};

export type SaveTiming = DownloadLimits & {
  /** What has sent nothing for so long is named. */
  readonly silenceMs: number;
  readonly backoffMs: { readonly minMs: number; readonly maxMs: number };
};

/** About two minutes: hub or API server may be restarted in that time. */
const defaultTiming: SaveTiming = {
  mostTries: 14,
  outageMs: 120_000,
  busyMs: 600_000,
  silenceMs: 10_000,
  backoffMs: { minMs: 500, maxMs: 15_000 },
};

/** A Node serves one user 6 recordings at a time: some are left for others of the user's commands. More are not faster. */
const mostAtOnce = 4;

const progressEveryMs = 500;

/**
 * Downloads the recordings, each as a whole, merges them in time order, and gives the file its name at the end. Returns the
 * exit code; throws CommandFailure, and the signal's reason. A merge of the streams themselves would make one wait for another (docs/decisions), and could not start one
 * over.
 */
export async function saveRecordings(work: SaveWork): Promise<number> {
  const { options, to, sources, context } = work;
  const { terminal, signal } = context;
  const existing = options.overwrite ? 'replaced' : 'kept';
  const opened = await openCaptureOutput(to, terminal, { existing, signals: 'callers', signal });
  if (opened.kind === 'unusable') throw new CommandFailure(opened.message, opened.exitCode);
  await using output = opened.output;
  await using spools = new AsyncDisposableStack();
  const startMs = performance.now();
  const downloads = await downloadAll({ ...work, ...(await spoolFolder(to)), spools });
  if (signal.aborted) throw interrupted(context);
  const recordings = sources.map(({ name, request }, at) => ({
    name,
    request,
    ...downloadAt(downloads, at),
  }));
  return await mergeDownloads({ ...work, recordings, output, startMs });
}

/** Says so, and returns what ends the command. */
function interrupted({ terminal, signal }: SaveWork['context']): unknown {
  printMessage(terminal, interruptedMessage);
  return signal.reason;
}

type Spooled = { readonly file: SpoolFile; readonly download: Download };

function downloadAt(downloads: readonly Spooled[], at: number): Spooled {
  const found = downloads[at];
  if (!found) throw new Error('a download has no result');
  return found;
}

type Downloading = SaveWork & SpoolFolder & { readonly spools: AsyncDisposableStack };

/** All of them; the first error of the disk ends the others. */
async function downloadAll(work: Downloading): Promise<readonly Spooled[]> {
  const { sources, context, to } = work;
  const progress = progressOn(context.terminal, { dataTo: to === '-' ? 'stdout' : 'file' });
  const downloaded = downloadProgress(
    sources.map(({ expectedBytes }) => expectedBytes),
    performance.now(),
  );
  const show = () => progress.show(() => `saving: ${downloaded.text(performance.now())}`);
  const timing = { ...defaultTiming, ...work.timing };
  const silent = silentDownloads(timing.silenceMs);
  // Also while nothing comes.
  using _showing = every(progressEveryMs, async () => {
    show();
    for (const at of silent.due(performance.now())) {
      progress.clear();
      printMessage(context.terminal, waitingText(sources[at], timing.silenceMs));
    }
  });
  const failing = new AbortController();
  const run = semaphore(mostAtOnce);
  const shared: SharedDownload = {
    ...work,
    timing,
    progress,
    downloaded,
    silent,
    outage: hubOutage(),
    show,
    begun: { any: false },
    signal: AbortSignal.any([context.signal, failing.signal]),
  };
  const results = await Promise.allSettled(
    sources.map(async (_, at) => {
      try {
        return await run(() => downloadOne(at, shared), shared.signal);
      } catch (error) {
        failing.abort(error);
        throw error;
      }
    }),
  );
  progress.clear();
  if (context.signal.aborted) return [];
  if (failing.signal.aborted) throw failureOf(failing.signal.reason, work);
  return results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
}

function waitingText(source: SaveSource | undefined, silenceMs: number): string {
  const node = source?.node === undefined ? 'its Node' : `Node ${source.node}`;
  return `${source?.name}: nothing has come for ${silenceMs / 1_000} s: waiting for ${node}`;
}

type SharedDownload = Downloading & {
  readonly timing: SaveTiming;
  readonly silent: SilentDownloads;
  readonly outage: HubOutage;
  readonly progress: Progress;
  readonly downloaded: DownloadProgress;
  readonly show: () => void;
  /** Whether any download has begun. */
  readonly begun: { any: boolean };
  readonly signal: AbortSignal;
};

async function downloadOne(at: number, shared: SharedDownload): Promise<Spooled> {
  const { sources, folder, spools, context, progress, downloaded, silent, show, begun, signal } = shared;
  const source = sources[at];
  if (!source) throw new Error('there is no such download');
  let said: string | undefined;
  silent.waits(at, performance.now());
  const file = spools.use(await openSpoolFile(folder));
  const download = await downloadRecording({
    request: source.request,
    async open(request, opening) {
      const opened = await shared.open(request, opening);
      if (opened.kind === 'open') begun.any = true;
      return explained(opened, source);
    },
    hasBegun: () => begun.any,
    file,
    backoff: newBackoff(shared.timing.backoffMs),
    outage: shared.outage,
    limits: shared.timing,
    onBytes(bytes) {
      downloaded.set(at, bytes);
      silent.waits(at, performance.now());
      show();
    },
    onRetry(why, waitMs) {
      silent.waits(at, performance.now() + waitMs);
      // Of something that stays away, it is said once.
      if (why === said) return;
      said = why;
      progress.clear();
      const seconds = (waitMs / 1_000).toFixed(1);
      printMessage(context.terminal, `${source.name}: ${why}; it is started over in ${seconds} s`);
    },
    signal,
  });
  downloaded.done(at);
  silent.done(at);
  return { file, download };
}

/** There is no file because the capture was refused, or waits. */
function explained(opened: OpenedStream, { trouble }: SaveSource): OpenedStream {
  const isExplained = opened.kind === 'refused' && opened.reason === 'NoCaptureFile' && trouble !== undefined;
  return isExplained ? { ...opened, message: `it has no capture file: ${trouble}` } : opened;
}

/** Where the downloads wait. */
type SpoolFolder = {
  readonly folder: string;
  /** It is that of the system, as the output is no file. */
  readonly isTemporary: boolean;
};

/** On the disk of the file, where there must be space for it anyway; a pipe or a device has none. */
async function spoolFolder(to: string): Promise<SpoolFolder> {
  const existing = to === '-' ? undefined : await ifExists(stat(to));
  const isTemporary = to === '-' || existing?.isFile() === false;
  return { folder: isTemporary ? tmpdir() : dirname(to), isTemporary };
}

/** What a person can do something about. */
function failureOf(error: unknown, { folder, isTemporary }: SpoolFolder): unknown {
  if (!isSystemError(error)) return error;
  const help = isTemporary
    ? ': the downloads are kept there until all are complete. Set TMPDIR to a folder with more space, or write to a file with --to'
    : ': until the file is complete, it takes twice its size. Make space, or write to another disk with --to';
  return new CommandFailure(
    `a download cannot be kept in ${folder} (${error.message})${hasCode(error, 'ENOSPC') ? help : ''}`,
    exitCodes.failed,
    { cause: error },
  );
}
