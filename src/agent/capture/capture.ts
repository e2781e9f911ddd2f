import type { Network } from '../netns/cni-entry.ts';
import type { CaptureSpec } from '../planner/annotations.ts';
import type { Spawner } from '../spawner/spawner.ts';
import type { Totals } from '../storage/capture-records.ts';
import type { CaptureFolder } from '../storage/generations.ts';
import type { LeftoverPruning } from '../storage/prune-leftovers.ts';
import { type CaptureCountersOptions, openCounters } from './counters.ts';
import type { CheckFilter } from './filter-check.ts';
import { type Ending, type StopHow, startTcpdump } from './tcpdump.ts';
import { trackTcpdumpFiles } from './tcpdump-files.ts';
import { writeErrorMessage } from './write-error-message.ts';

/** One tcpdump on one network, with its record on disk. */
export type Capture = {
  readonly generation: number;
  readonly spec: CaptureSpec;
  readonly network: Network;
  /** When it started to capture, by performance.now(); undefined before. */
  readonly listeningMs: () => number | undefined;
  /** How it ended; undefined until the process is gone and its record is written. */
  readonly ending: () => Ending | undefined;
  /** From now on it keeps this many of its own files. */
  readonly keep: (files: number) => void;
  readonly stop: (how: StopHow) => Promise<Ending>;
  readonly totals: () => Totals;
  /** The totals of all earlier generations. */
  readonly earlier: Totals;
};

export type CaptureOptions = Pick<CaptureCountersOptions, 'overlaps' | 'onCount' | 'log'> & {
  readonly folder: CaptureFolder;
  readonly network: Network;
  readonly spec: CaptureSpec;
  readonly settings: CaptureSettings;
  readonly pruning: LeftoverPruning;
  /** It captures packets; `missedBefore` is undefined while it is not known. */
  readonly onListening: (generation: number, missedBefore: number | undefined) => void;
  /** Its interface was set down, or is up again; it continues. */
  readonly onInterface: (generation: number, isUp: boolean) => void;
  readonly onEnd: () => void;
};

/** The same for every capture of this agent; units as in TcpdumpOptions. */
export type CaptureSettings = {
  readonly bufferKib: number;
  /** The largest N that anyone may ask for. */
  readonly maxFiles: number;
  /** Checks a filter before tcpdump gets it: one for all captures. */
  readonly checkFilter: CheckFilter;
  readonly spawner: Spawner;
  /** The name of the agent's own Pod, for the records. */
  readonly agent: string;
};

/** Starts tcpdump in a generation of its own. Throws if the folder cannot be written. */
export async function startCapture(options: CaptureOptions): Promise<Capture> {
  const { folder, network, spec, settings, pruning, log } = options;
  const generation = await folder.createGeneration(recordOf(options));
  const { file } = generation;
  const files = trackTcpdumpFiles(pruning, file);
  const interfaceReports = reportInterface((isUp) => options.onInterface(generation.number, isUp));
  const tcpdump = startTcpdump({
    ...settings,
    ...spec,
    netns: network.netns,
    file,
    onFiles: files.next,
    onWriteError: () => void counters.countInterfacePacketsAtFailure(),
    onInterface: interfaceReports.set,
    onFileDeleted: () => void endUnlessTakenOver(),
  });
  const counters = openCounters({
    ...options,
    generation,
    tcpdump,
    files,
    // A process stopped by SIGSTOP reacts to no other signal.
    onSilence: () => void tcpdump.giveUp('kill', 'tcpdump does not answer any more'),
  });

  async function endWithoutFolder(): Promise<void> {
    await tcpdump.giveUp('flush', await writeErrorMessage('ENOENT', folder.path));
  }

  /** With a ring of one file, the first file of the next capture pushes out ours while both capture. */
  async function endUnlessTakenOver(): Promise<void> {
    if (!(await files.isTakenOver())) await endWithoutFolder();
  }

  async function runToEnd(): Promise<Ending> {
    using _interfaceReports = interfaceReports;
    using _watching = folder.onDeleted(() => void endWithoutFolder());
    const started = await tcpdump.started;
    if (started.kind === 'listening') {
      const missedBefore = await counters.start();
      pruning.prune();
      options.onListening(generation.number, missedBefore);
    }
    const ending = await withReadableError(await tcpdump.ended, folder.path);
    await counters.close(ending);
    // What it wrote after the next capture had started.
    pruning.prune();
    return ending;
  }

  let ending: Ending | undefined;
  const ended = runToEnd()
    .catch(async (error: unknown): Promise<Ending> => {
      log.warn({ err: error }, 'failed to count or record a capture');
      // No tcpdump may run without counters.
      return await tcpdump.giveUp('kill', error instanceof Error ? error.message : String(error));
    })
    .then((end) => {
      ending = end;
      options.onEnd();
      return end;
    });

  return {
    generation: generation.number,
    spec,
    network,
    listeningMs: counters.listeningMs,
    ending: () => ending,
    keep: tcpdump.keep,
    async stop(how) {
      await counters.countInterfacePackets();
      // A killed tcpdump can no longer report its statistics.
      if (how === 'kill') await counters.countWithin(countBeforeKillMs);
      await tcpdump.stop(how);
      return await ended;
    },
    totals: counters.totals,
    earlier: generation.earlier,
  };
}

/** How long a tcpdump that is about to be killed may take to report its statistics. */
const countBeforeKillMs = 200;

function recordOf({
  network,
  spec,
  settings,
}: CaptureOptions): Parameters<CaptureFolder['createGeneration']>[0] {
  return {
    agent: settings.agent,
    sandboxId: network.sandboxId,
    interface: spec.interface,
    fileMegabytes: spec.fileMegabytes,
    ...(spec.filter !== undefined && { filter: spec.filter }),
    ...(spec.snaplen !== undefined && { snaplen: spec.snaplen }),
  };
}

async function withReadableError(ending: Ending, folder: string): Promise<Ending> {
  const { writeError } = ending;
  return writeError === undefined
    ? ending
    : { ...ending, message: await writeErrorMessage(writeError, folder) };
}

/** An interface that is about to be deleted is set down first: only one that stays down this long is reported. */
const downForMs = 1_000;

function reportInterface(
  onChange: (isUp: boolean) => void,
): Disposable & { readonly set: (isUp: boolean) => void } {
  let timer: NodeJS.Timeout | undefined;
  let isReportedDown = false;
  const report = (isUp: boolean) => {
    isReportedDown = !isUp;
    onChange(isUp);
  };
  return {
    set(isUp) {
      clearTimeout(timer);
      if (!isUp) timer = setTimeout(() => report(false), downForMs);
      else if (isReportedDown) report(true);
    },
    [Symbol.dispose]: () => clearTimeout(timer),
  };
}
