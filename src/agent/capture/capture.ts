import type { Network } from '../netns/cni-entry.ts';
import type { CaptureSpec } from '../planner/annotations.ts';
import type { Spawner } from '../spawner/spawner.ts';
import type { CaptureFolder } from '../storage/capture-folder.ts';
import type { Totals } from '../storage/capture-records.ts';
import type { LeftoverPruning } from '../storage/prune-leftovers.ts';
import { type CaptureCountersOptions, openCounters } from './counters.ts';
import { type Ending, type StopHow, startTcpdump } from './tcpdump.ts';
import { trackTcpdumpFiles } from './tcpdump-files.ts';
import { writeErrorMessage } from './write-error-message.ts';

/** One tcpdump on one network, with its record on disk. */
export type Capture = {
  readonly generation: number;
  readonly spec: CaptureSpec;
  readonly network: Network;
  /** When it began to capture, by performance.now(); undefined before. */
  readonly listeningMs: () => number | undefined;
  /** How it ended; undefined until the process is gone and its record is written. */
  readonly ending: () => Ending | undefined;
  /** Keeps so many of its own files from now on. */
  readonly keep: (files: number) => void;
  readonly stop: (how: StopHow) => Promise<Ending>;
  readonly totals: () => Totals;
  /** Of the generations before. */
  readonly earlier: Totals;
};

export type CaptureOptions = Pick<CaptureCountersOptions, 'overlaps' | 'onCount' | 'log'> & {
  readonly folder: CaptureFolder;
  readonly network: Network;
  readonly spec: CaptureSpec;
  readonly settings: CaptureSettings;
  readonly ring: LeftoverPruning;
  /** It captures; `missedBefore` is undefined while it is not known. */
  readonly onListening: (generation: number, missedBefore: number | undefined) => void;
  /** Its interface was set down, or is up again; it goes on. */
  readonly onInterface: (generation: number, isUp: boolean) => void;
  readonly onEnd: () => void;
};

/** The same for every capture of this agent; units as tcpdump's options have them (tcpdump.ts). */
export type CaptureSettings = {
  readonly bufferKib: number;
  readonly wrapAfter: number;
  /** The user that compiles a filter to check it: the one that tcpdump runs as. */
  readonly userId: number;
  readonly spawner: Spawner;
  /** The name of the agent's own Pod, for the records. */
  readonly agent: string;
};

/** Starts tcpdump in a generation of its own; throws when the folder cannot be written. */
export async function startCapture(options: CaptureOptions): Promise<Capture> {
  const { folder, network, spec, settings, log } = options;
  const generation = await folder.begin({
    agent: settings.agent,
    sandboxId: network.sandboxId,
    interface: spec.interface,
    fileMegabytes: spec.fileMegabytes,
    ...(spec.filter !== undefined && { filter: spec.filter }),
    ...(spec.snaplen !== undefined && { snaplen: spec.snaplen }),
  });
  const { file } = generation;
  const files = trackTcpdumpFiles(options.ring, file, settings.wrapAfter);
  const link = linkState((isUp) => options.onInterface(generation.number, isUp));
  const tcpdump = startTcpdump({
    ...settings,
    ...spec,
    netns: network.netns,
    file,
    onFiles: files.next,
    onWriteError: () => void counters.countInterfacePacketsAtFailure(),
    onInterface: link.is,
    onFileDeleted: () => void endIfNotTakenOver(),
  });
  const counters = openCounters({
    ...options,
    generation,
    tcpdump,
    files,
    // What is stopped takes no other signal.
    onSilence: () => void tcpdump.giveUp('kill', 'tcpdump does not answer any more'),
  });

  async function endWithoutFolder(): Promise<void> {
    await tcpdump.giveUp('flush', await writeErrorMessage('ENOENT', folder.path));
  }

  /** In a ring of one file the next capture's first one makes ours go, while both capture. */
  async function endIfNotTakenOver(): Promise<void> {
    if (!(await files.isTakenOver())) await endWithoutFolder();
  }

  async function runToEnd(): Promise<Ending> {
    using _link = link;
    using _watching = folder.onGone(() => void endWithoutFolder());
    const started = await tcpdump.started;
    if (started.kind === 'listening') {
      const missedBefore = await counters.begin();
      options.ring.prune();
      options.onListening(generation.number, missedBefore);
    }
    const ended = await tcpdump.ended;
    const { writeError, message } = ended;
    const end = {
      ...ended,
      message: writeError ? await writeErrorMessage(writeError, folder.path) : message,
    };
    await counters.close(end);
    // What it still wrote beside the next capture.
    options.ring.prune();
    return end;
  }

  let ending: Ending | undefined;
  const ended = runToEnd()
    .catch(async (error: unknown): Promise<Ending> => {
      log.warn({ err: error }, 'capture not accounted for');
      // Nothing runs that nobody knows of.
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
      // What is killed cannot count any more.
      if (how === 'kill') await counters.countWithin(200);
      await tcpdump.stop(how);
      return await ended;
    },
    totals: counters.totals,
    earlier: generation.earlier,
  };
}

/** An interface that is about to be deleted is down before: only one that stays down is told. */
const downForMs = 1_000;

function linkState(onChange: (isUp: boolean) => void): Disposable & { readonly is: (isUp: boolean) => void } {
  let timer: NodeJS.Timeout | undefined;
  let isToldDown = false;
  const tell = (isUp: boolean) => {
    isToldDown = !isUp;
    onChange(isUp);
  };
  return {
    is(isUp) {
      clearTimeout(timer);
      if (!isUp) timer = setTimeout(() => tell(false), downForMs);
      else if (isToldDown) tell(true);
    },
    [Symbol.dispose]: () => clearTimeout(timer),
  };
}
