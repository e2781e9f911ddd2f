import type { Network } from '../netns/cni-entry.ts';
import type { MissedBefore } from '../observability/recording-report.ts';
import type { Spawner } from '../spawner/spawner.ts';
import type { Totals } from '../storage/capture-records.ts';
import type { CaptureFolder } from '../storage/generations.ts';
import type { LeftoverPruning } from '../storage/prune-leftovers.ts';
import { type CaptureCountersOptions, openCounters } from './counters.ts';
import { type InterfaceCondition, reportInterfaceCondition } from './interface-condition.ts';
import { countsAsSockets, probeInterface } from './interface-probe.ts';
import type { CapturePhase, ObservedCapture, RingSpec } from './pod-state.ts';
import { type Ending, startTcpdump, type Tcpdump } from './tcpdump.ts';
import { trackTcpdumpFiles } from './tcpdump-files.ts';
import { writeErrorMessage } from './write-error-message.ts';

/** One tcpdump on one network, with its record on disk. */
export type Capture = {
  readonly generation: number;
  /** What it captures and does at this moment. */
  readonly observe: () => ObservedCapture;
  /** Requests that it keeps this many of its own files, 0: all. Resolves when its library has acknowledged a number, or it has ended. */
  readonly keep: (files: number) => Promise<void>;
  /** Ends it, with every packet in a file or in a counter. Resolves when it has ended. */
  readonly stop: () => Promise<void>;
  /** Kills it because something is wrong, with a message for people. Resolves when it has ended. */
  readonly giveUp: (message: string) => Promise<void>;
  readonly totals: () => Totals;
  /** The same, with what tcpdump says now. Never rejects. */
  readonly freshTotals: () => Promise<Totals>;
  /** It has ended: that many more packets were pruned since. */
  readonly addPruned: (packets: number) => Promise<void>;
  /** The totals of all earlier generations. */
  readonly earlier: Totals;
};

export type CaptureOptions = Pick<CaptureCountersOptions, 'onCount' | 'log'> & {
  readonly folder: CaptureFolder;
  readonly network: Network;
  readonly spec: RingSpec;
  /** All interfaces that are to be captured of the Pod. */
  readonly interfaces: readonly string[];
  readonly settings: CaptureSettings;
  readonly pruning: LeftoverPruning;
  /** Whether another capture of the same interface runs, which this one replaces: asked when this one listens. */
  readonly overlaps: () => boolean;
  /** It captures packets. Called once, even if it is to be stopped already. */
  readonly onListening: (capture: ObservedCapture) => void;
  /** Another capture, which this one replaces only to have another receive ring; undefined otherwise. */
  readonly resizes: ObservedCapture | undefined;
  /** Its receive ring is full. */
  readonly onReceiveRingFull: () => void;
  /** tcpdump warns of something, in its own words; it continues. */
  readonly onWarning: (generation: number, message: string) => void;
  /** What observe() returns has changed. */
  readonly onChange: () => void;
};

/** The same for every capture of this agent. */
export type CaptureSettings = {
  /** The largest N that anyone may ask for. */
  readonly maxFiles: number;
  readonly spawner: Spawner;
  /** The name of the agent's own Pod, for the records. */
  readonly agent: string;
  readonly nodeName: string;
};

/** Starts tcpdump in a generation of its own. Throws if the folder cannot be written. */
export async function startCapture(options: CaptureOptions): Promise<Capture> {
  const { folder, network, settings, pruning, onChange, log } = options;
  const generation = await folder.createGeneration(recordOf(options), options.interfaces);
  const { file } = generation;
  const files = trackTcpdumpFiles(pruning, file);
  const { spec } = options;
  let acknowledged = Promise.withResolvers<void>();
  let isRingFull = false;
  /** How many files it had started, and kept, when it was told to keep all. */
  let held: { readonly started: number; readonly kept: number } | undefined;
  let phase: CapturePhase = { kind: 'starting', sinceMs: performance.now() };
  let missedBefore: MissedBefore = { kind: 'unknown' };
  let isOtherInterface = false;
  let condition: InterfaceCondition = { kind: 'normal' };
  const interfaceReports = reportInterfaceCondition({
    onChange(changed) {
      condition = changed;
      if (changed.kind === 'normal') missedBefore = nothingMissed;
      onChange();
    },
    // Before it listens, the signal would end it.
    recheck: () => void (counters.listeningMs() !== undefined && tcpdump.count()),
  });
  const tcpdump = startTcpdump({
    ...settings,
    ...spec,
    netns: network.netns,
    file,
    onFiles(started) {
      files.next(started);
      // Whether it has as many as a frozen ring gets after its trigger.
      if (held) onChange();
    },
    onWriteError: () => void counters.countInterfacePacketsAtFailure(),
    onInterface: interfaceReports.setUp,
    onCapturedInterface: interfaceReports.setCaptured,
    onKeeps() {
      acknowledged.resolve();
      acknowledged = Promise.withResolvers();
      onChange();
    },
    onReceiveRingFull() {
      if (isRingFull) return;
      isRingFull = true;
      options.onReceiveRingFull();
    },
    onWarning: (message) => options.onWarning(generation.number, message),
    onFileDeleted: () =>
      void endUnlessTakenOver().catch((error: unknown) =>
        log.warn({ err: error }, 'failed to look for the files of a later capture'),
      ),
  });
  const counters = openCounters({
    ...options,
    generation,
    tcpdump,
    files,
    countsAsSockets: () => isCountedAsBySockets(tcpdump, options),
    onGapSettled(settled) {
      missedBefore = settled;
      onChange();
    },
    // A process stopped by SIGSTOP reacts to no other signal.
    onSilence: () => void tcpdump.giveUp('kill', 'tcpdump does not answer any more'),
  });

  const observe = (): ObservedCapture => ({
    generation: generation.number,
    network,
    spec: { ...spec, files: held?.kept ?? keptFiles() },
    phase,
    listeningMs: counters.listeningMs(),
    silentSinceMs: counters.silentSinceMs(),
    isRingFull: isRingFull || counters.totals().dropped > 0,
    reported: reported(),
    isOtherInterface,
    condition,
    filesSinceHeld: held && files.started() - held.started,
  });

  function keptFiles(): number {
    return tcpdump.keeping() ?? spec.files;
  }

  /** A capture that went on in another receive ring is not reported. */
  function reported(): ObservedCapture['reported'] {
    const hasGoneOn = options.resizes && missedBefore.kind === 'gap' && missedBefore.packets === 0;
    return hasGoneOn && options.resizes
      ? options.resizes.reported
      : { generation: generation.number, missedBefore };
  }

  async function endWithoutFolder(): Promise<void> {
    await tcpdump.giveUp('flush', await writeErrorMessage('ENOENT', folder.path));
  }

  /** With a ring of one file, the first file of the next capture pushes out ours while both capture. */
  async function endUnlessTakenOver(): Promise<void> {
    const later = await files.later();
    const starts = await folder.starts(new Set(later));
    const isOurs = (number: number) => (starts.get(number)?.interface ?? spec.interface) === spec.interface;
    if (!later.some(isOurs)) await endWithoutFolder();
  }

  async function runToEnd(): Promise<Ending> {
    using _interfaceReports = interfaceReports;
    using _watching = folder.onDeleted(() => void endWithoutFolder());
    const started = await tcpdump.started;
    if (started.kind === 'listening') {
      ({ missedBefore, isOtherInterface } = await counters.start());
      pruning.prune();
      if (phase.kind === 'starting') phase = { kind: 'listening' };
      options.onListening(observe());
      onChange();
    }
    const ending = await withReadableError(await tcpdump.ended, folder.path);
    await counters.close(ending);
    // What it wrote after the next capture had started.
    pruning.prune();
    return ending;
  }

  const ended = runToEnd()
    .catch(async (error: unknown): Promise<Ending> => {
      log.warn({ err: error }, 'failed to count or record a capture');
      // No tcpdump may run without counters, and no counters without tcpdump.
      const ending = await tcpdump.giveUp('kill', error instanceof Error ? error.message : String(error));
      await counters
        .close(ending)
        .catch((closeError: unknown) => log.warn({ err: closeError }, 'failed to end the counters'));
      return ending;
    })
    .then((ending) => {
      phase = { kind: 'ended', ending };
      onChange();
    });

  return {
    generation: generation.number,
    observe,
    async keep(count) {
      held = count === 0 ? (held ?? { started: files.started(), kept: keptFiles() }) : undefined;
      tcpdump.keep(count);
      if (tcpdump.keeping() !== count) await tcpdump.unlessEnded(acknowledged.promise);
    },
    async stop() {
      if (phase.kind !== 'ended') phase = { kind: 'stopping' };
      await counters.countUnseenWithin(countUnseenBeforeStopMs);
      await counters.countInterfacePackets();
      await tcpdump.stop('flush');
      await ended;
    },
    async giveUp(message) {
      await tcpdump.giveUp('kill', message);
      await ended;
    },
    totals: counters.totals,
    freshTotals: counters.freshTotals,
    addPruned: counters.addPruned,
    earlier: generation.earlier,
  };
}

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
  const kind = await tcpdump.unlessEnded(probing);
  return kind?.index === captured.index ? countsAsSockets(kind) : undefined;
}

function recordOf({
  network,
  spec,
  settings,
}: CaptureOptions): Parameters<CaptureFolder['createGeneration']>[0] {
  return {
    agent: settings.agent,
    node: settings.nodeName,
    sandboxId: network.sandboxId,
    addresses: [...network.addresses],
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

/** The capture went on while its interface was down, or had another name. */
const nothingMissed: MissedBefore = { kind: 'gap', packets: 0, isSettled: false };
