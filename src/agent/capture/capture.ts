import type { Network } from '../netns/cni-entry.ts';
import type { CaptureSpec } from '../planner/annotations.ts';
import type { Spawner } from '../spawner/spawner.ts';
import type { Totals } from '../storage/capture-records.ts';
import type { CaptureFolder } from '../storage/generations.ts';
import type { LeftoverPruning } from '../storage/prune-leftovers.ts';
import { type CaptureCountersOptions, type CaptureStart, openCounters } from './counters.ts';
import type { CheckFilter } from './filter-check.ts';
import { type InterfaceCondition, reportInterfaceCondition } from './interface-condition.ts';
import { countsAsSockets, probeInterface } from './interface-probe.ts';
import { type Ending, type StopHow, startTcpdump, type Tcpdump } from './tcpdump.ts';
import { trackTcpdumpFiles } from './tcpdump-files.ts';
import { writeErrorMessage } from './write-error-message.ts';

/** One tcpdump on one network, with its record on disk. */
export type Capture = {
  readonly generation: number;
  readonly spec: CaptureSpec;
  readonly network: Network;
  /** When it started to capture, by performance.now(); undefined before. */
  readonly listeningMs: () => number | undefined;
  /** Another interface has the name of its interface by now. */
  readonly isSuperseded: () => boolean;
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
  /** It captures packets. */
  readonly onListening: (generation: number, start: CaptureStart) => void;
  /** Its interface was set down, renamed, or replaced by another one of its name, or is normal again; it continues. */
  readonly onInterface: (generation: number, condition: InterfaceCondition) => void;
  readonly onEnd: () => void;
};

/** The same for every capture of this agent; units as in TcpdumpOptions. */
export type CaptureSettings = {
  readonly bufferKib: number;
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
  const interfaceReports = reportInterfaceCondition({
    onChange: (condition) => options.onInterface(generation.number, condition),
    // Before it listens, the signal would end it.
    recheck: () => void (counters.listeningMs() !== undefined && tcpdump.count()),
  });
  const tcpdump = startTcpdump({
    ...settings,
    ...spec,
    netns: network.netns,
    file,
    onFiles: files.next,
    onWriteError: () => void counters.countInterfacePacketsAtFailure(),
    onInterface: interfaceReports.setUp,
    onCapturedInterface: interfaceReports.setCaptured,
    onFileDeleted: () => void endUnlessTakenOver(),
  });
  const counters = openCounters({
    ...options,
    generation,
    tcpdump,
    files,
    countsAsSockets: () => isCountedAsBySockets(tcpdump, options),
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
      const start = await counters.start();
      pruning.prune();
      options.onListening(generation.number, start);
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
    isSuperseded: interfaceReports.isSuperseded,
    ending: () => ending,
    keep: tcpdump.keep,
    async stop(how) {
      if (how === 'flush') await counters.countUnseenWithin(countUnseenBeforeStopMs);
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
/** A few milliseconds are enough, unless something passed unseen. */
const countUnseenBeforeStopMs = 1_000;

/** Whether the interface that tcpdump captures counts the same packets as it gets; undefined if it cannot be asked. */
async function isCountedAsBySockets(
  tcpdump: Tcpdump,
  { settings, network }: CaptureOptions,
): Promise<boolean | undefined> {
  const captured = tcpdump.capturedInterface();
  if (!captured) return undefined;
  const probing = probeInterface(settings.spawner, network.netns, captured.name);
  const kind = await Promise.race([probing, tcpdump.ended.then(() => undefined)]);
  return kind?.index === captured.index ? countsAsSockets(kind) : undefined;
}

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
