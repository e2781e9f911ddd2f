import type { Logger } from 'pino';
import type { Network } from '../netns/cni-entry.ts';
import type { Counted } from '../observability/capture-status.ts';
import { isSameTcpdump } from '../planner/annotations.ts';
import type { RunningRings } from '../planner/capacity.ts';
import { addTotals, noTotals, type Totals } from '../storage/capture-records.ts';
import type { DeletedPackets } from '../storage/frozen-rings.ts';
import type { CaptureFolder } from '../storage/generations.ts';
import type { PodRings } from '../storage/pod-rings.ts';
import { startLeftoverPruning } from '../storage/prune-leftovers.ts';
import { type RingsSize, ringBytes } from '../storage/ring-size.ts';
import { type Capture, type CaptureOptions, type CaptureSettings, startCapture } from './capture.ts';
import { capturedTime } from './captured-time.ts';
import { isStillWritten, type ObservedCapture, type RingSpec } from './pod-state.ts';

/** What one Pod's recording owns, from its first request until nothing of it runs: its captures and their counts. */
export type PodRecording = AsyncDisposable & {
  /** The path of its folder. */
  readonly path: string;
  /** In the order in which they started. */
  readonly captures: () => readonly ObservedCapture[];
  /** These rings are requested from now on, at least one. */
  readonly request: (rings: readonly RingSpec[]) => void;
  /** Throws if the folder cannot be written. */
  readonly start: (spec: RingSpec, network: Network) => Promise<void>;
  /** Resolves when it has acknowledged, or ended. */
  readonly keep: (generation: number, files: number) => Promise<void>;
  /** Resolves when it has ended. */
  readonly stop: (generation: number) => Promise<void>;
  /** Resolves when it has ended. */
  readonly giveUp: (generation: number, message: string) => Promise<void>;
  /** Removes a capture that has ended, and adds its counts to the totals. Returns it as it was observed last. */
  readonly account: (generation: number) => ObservedCapture | undefined;
  /** Measures the folder. Throws if it cannot be read. */
  readonly measure: () => Promise<void>;
  /** The size of the request, and those of earlier requests whose files are not measured yet. */
  readonly sizes: () => RunningRings;
  /** That many packets were deleted with a frozen ring. */
  readonly addPruned: (packets: DeletedPackets) => void;
  /** What its captures have counted so far. */
  readonly totals: () => Totals;
  /** What each of its captures has counted, by generation, with what tcpdump says now. Never rejects. */
  readonly freshTotals: () => Promise<ReadonlyMap<number, Totals>>;
  /** What all captures of the folder have counted. Throws if it cannot be read. */
  readonly folderTotals: () => Promise<Totals>;
  /** How long the Pod has been captured by now, by earlier recordings as well; undefined before the first capture. */
  readonly capturedMs: () => number | undefined;
  /** Whether a capture has captured. */
  readonly hasCaptured: () => boolean;
};

export type PodRecordingOptions = {
  /** At least one. */
  readonly rings: readonly RingSpec[];
  readonly folder: CaptureFolder;
  readonly settings: CaptureSettings;
  /** Measures the folder. */
  readonly measure: () => Promise<void>;
  /** A capture captures packets, which is called once for each. */
  readonly onListening: (capture: ObservedCapture) => void;
  readonly onWarning: CaptureOptions['onWarning'];
  readonly onReceiveRingFull: () => void;
  /** What captures() returns has changed. */
  readonly onChange: () => void;
  readonly onCount: (counted: Counted) => void;
  readonly log: Logger;
};

/** Starts without a capture. */
export function openRecording(options: PodRecordingOptions): PodRecording {
  const { folder, onChange, onCount, log } = options;
  let { rings } = options;
  const pruning = startLeftoverPruning({
    folder,
    rings: podRingsOf(rings),
    maxFiles: options.settings.maxFiles,
    log,
  });
  let formerSizes: readonly RingsSize[] = [];
  let captures: readonly Capture[] = [];
  /** What tcpdumps are being started for. */
  const starting = new Set<RingSpec>();
  let endedTotals = noTotals;
  const time = capturedTime();
  /** By interface, and the last one of all. */
  const lastEnded = new Map<string, Capture>();
  let earlier: Totals | undefined;
  let hasCaptured = false;

  const captureOf = (generation: number) => captures.find((capture) => capture.generation === generation);
  const totals = () => captures.reduce((sum, capture) => addTotals(sum, capture.totals()), endedTotals);

  return {
    path: folder.path,
    captures: () => captures.map((capture) => capture.observe()),
    request(requested) {
      formerSizes = withFormer(formerSizes, { former: sizeOf(rings), requested: sizeOf(requested) });
      rings = requested;
      pruning.keep(podRingsOf(rings));
    },
    async start(spec, network) {
      starting.add(spec);
      const capture: Capture = await startCapture({
        ...options,
        spec,
        interfaces: rings.map((ring) => ring.interface),
        network,
        pruning,
        resizes: captures
          .map((other) => other.observe())
          .findLast((other) => isResizedBy(other, spec, network)),
        overlaps: () => captures.some((other) => other !== capture && isReplaceable(other, spec, network)),
        onChange,
        onCount: (isStalled) => onCount({ totals: totals(), isStalled }),
      }).finally(() => starting.delete(spec));
      earlier ??= capture.earlier;
      captures = [...captures, capture];
      // The request may have changed while it started.
      const former = { ...spec, rings: sizeOf(rings).rings };
      formerSizes = withFormer(formerSizes, { former, requested: sizeOf(rings) });
    },
    keep: async (generation, files) => await captureOf(generation)?.keep(files),
    stop: async (generation) => await captureOf(generation)?.stop(),
    giveUp: async (generation, message) => await captureOf(generation)?.giveUp(message),
    account(generation) {
      const capture = captureOf(generation);
      if (!capture) return undefined;
      const last = capture.observe();
      const before = listeningMs(captures);
      captures = captures.filter((other) => other !== capture);
      time.end(before, listeningMs(captures), performance.now());
      endedTotals = addTotals(endedTotals, capture.totals());
      lastEnded.set(last.spec.interface, capture);
      hasCaptured ||= last.listeningMs !== undefined;
      return last;
    },
    async measure() {
      const former = new Set(formerSizes);
      const written = [
        ...captures.map((capture) => capture.observe()),
        ...[...starting].map((spec) => ({ spec })),
      ];
      await pruning.settled();
      await options.measure();
      const isMeasured = (each: RingsSize) => former.has(each) && !isStillWritten(each, rings, written);
      formerSizes = formerSizes.filter((each) => !isMeasured(each));
    },
    sizes: () => ({ size: sizeOf(rings), formerSizes }),
    addPruned: pruning.addPruned,
    totals,
    freshTotals: async () =>
      new Map(
        await Promise.all(
          captures.map(async (capture) => [capture.generation, await capture.freshTotals()] as const),
        ),
      ),
    folderTotals: folder.totals,
    capturedMs: () => earlier && earlier.capturedMs + time.sumMs(listeningMs(captures), performance.now()),
    hasCaptured: () => hasCaptured,
    async [Symbol.asyncDispose]() {
      await pruning[Symbol.asyncDispose]();
      // The newest file of an ended capture is complete: it can push out older ones, which no capture counts any more.
      for (const { interface: name } of rings) {
        const pruned = pruning.takePruned(name);
        const ended = lastEnded.get(name) ?? [...lastEnded.values()].at(-1);
        if (pruned === 0 || !ended) continue;
        await ended.addPruned(pruned);
        endedTotals = addTotals(endedTotals, { ...noTotals, pruned });
        onCount({ totals: totals(), isStalled: false });
      }
    },
  };
}

/** Whether the other capture differs only in its receive ring. */
function isResizedBy(other: ObservedCapture, spec: RingSpec, { sandboxId }: Network): boolean {
  return (
    other.phase.kind === 'listening' &&
    other.network.sandboxId === sandboxId &&
    other.condition.kind !== 'replaced' &&
    isSameTcpdump(other.spec, spec)
  );
}

/** Since when each capture captures, of those that do. */
function listeningMs(captures: readonly Capture[]): number[] {
  return captures.flatMap((capture) => capture.observe().listeningMs ?? []);
}

/** All rings of a Pod have the same size. */
function sizeOf(rings: readonly RingSpec[]): RingsSize {
  const [{ files, fileMegabytes } = { files: 0, fileMegabytes: 0 }] = rings;
  return { files, fileMegabytes, rings: rings.length };
}

function podRingsOf(rings: readonly RingSpec[]): PodRings {
  return { interfaces: rings.map((ring) => ring.interface), size: sizeOf(rings) };
}

function isReplaceable(other: Capture, spec: RingSpec, { sandboxId }: Network): boolean {
  const observed = other.observe();
  return (
    observed.phase.kind === 'listening' &&
    observed.spec.interface === spec.interface &&
    observed.network.sandboxId === sandboxId
  );
}

/**
 * Adds what was requested before, once for each size, however often a request changes back and forth. The newest entry
 * stays: a measurement that is under way ends the ones from before it, and knows nothing of what was written since.
 */
function withFormer(
  formerSizes: readonly RingsSize[],
  { former, requested }: { readonly former: RingsSize; readonly requested: RingsSize },
): readonly RingsSize[] {
  if (ringBytes(former) === ringBytes(requested) && former.rings === requested.rings) return formerSizes;
  const { files, fileMegabytes, rings } = former;
  const isSame = (each: RingsSize) =>
    each.files === files && each.fileMegabytes === fileMegabytes && each.rings === rings;
  return [...formerSizes.filter((each) => !isSame(each)), { files, fileMegabytes, rings }];
}
