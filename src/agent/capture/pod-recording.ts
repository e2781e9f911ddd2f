import type { Logger } from 'pino';
import type { Network } from '../netns/cni-entry.ts';
import type { Counted } from '../observability/capture-status.ts';
import { isSameTcpdump } from '../planner/annotations.ts';
import type { RunningRing } from '../planner/capacity.ts';
import { addTotals, noTotals, type Totals } from '../storage/capture-records.ts';
import type { CaptureFolder } from '../storage/generations.ts';
import { startLeftoverPruning } from '../storage/prune-leftovers.ts';
import { type RingSize, ringBytes } from '../storage/ring-size.ts';
import { type Capture, type CaptureOptions, type CaptureSettings, startCapture } from './capture.ts';
import type { ObservedCapture, RingSpec } from './pod-state.ts';

/** What one Pod's recording owns, from its first request until nothing of it runs: its captures and their counts. */
export type PodRecording = AsyncDisposable & {
  /** The path of its folder. */
  readonly path: string;
  /** In the order in which they started. */
  readonly captures: () => readonly ObservedCapture[];
  /** The request is this from now on, and that policy's, or else the annotation's. */
  readonly request: (spec: RingSpec, policy: string | undefined) => void;
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
  readonly ring: () => RunningRing;
  /** The policy that asks for it; undefined for an annotation. */
  readonly policy: () => string | undefined;
  /** What its captures have counted so far. */
  readonly totals: () => Totals;
  /** What all captures of the folder have counted. Throws if it cannot be read. */
  readonly folderTotals: () => Promise<Totals>;
  /** How long the Pod has been captured by now, by earlier recordings as well; undefined before the first capture. */
  readonly capturedMs: () => number | undefined;
  /** Whether a capture has captured. */
  readonly hasCaptured: () => boolean;
};

export type PodRecordingOptions = {
  readonly spec: RingSpec;
  readonly policy: string | undefined;
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
  const pruning = startLeftoverPruning({
    folder,
    size: options.spec,
    maxFiles: options.settings.maxFiles,
    log,
  });
  let size: RingSpec = options.spec;
  let { policy } = options;
  let formerSizes: readonly RingSize[] = [];
  let captures: readonly Capture[] = [];
  let endedTotals = noTotals;
  let lastEnded: Capture | undefined;
  let earlier: Totals | undefined;
  let hasCaptured = false;

  const captureOf = (generation: number) => captures.find((capture) => capture.generation === generation);
  const totals = () => captures.reduce((sum, capture) => addTotals(sum, capture.totals()), endedTotals);

  return {
    path: folder.path,
    captures: () => captures.map((capture) => capture.observe()),
    request(spec, requestedBy) {
      if (requestedBy !== policy) {
        policy = requestedBy;
        for (const capture of captures) capture.notePolicy(policy);
      }
      formerSizes = withFormer(formerSizes, { former: size, requested: spec });
      size = spec;
      pruning.keep(spec);
    },
    async start(spec, network) {
      const capture: Capture = await startCapture({
        ...options,
        spec,
        policy,
        network,
        pruning,
        resizes: captures
          .map((other) => other.observe())
          .findLast((other) => isResizedBy(other, spec, network)),
        overlaps: () => captures.some((other) => other !== capture && isReplaceable(other, spec, network)),
        onChange,
        onCount: (isStalled) => onCount({ totals: totals(), isStalled }),
      });
      earlier ??= capture.earlier;
      captures = [...captures, capture];
      capture.notePolicy(policy);
      // The request may have changed while it started.
      formerSizes = withFormer(formerSizes, { former: spec, requested: size });
    },
    keep: async (generation, files) => await captureOf(generation)?.keep(files),
    stop: async (generation) => await captureOf(generation)?.stop(),
    giveUp: async (generation, message) => await captureOf(generation)?.giveUp(message),
    account(generation) {
      const capture = captureOf(generation);
      if (!capture) return undefined;
      const last = capture.observe();
      captures = captures.filter((other) => other !== capture);
      endedTotals = addTotals(endedTotals, capture.totals());
      lastEnded = capture;
      hasCaptured ||= last.listeningMs !== undefined;
      return last;
    },
    async measure() {
      const former = new Set(formerSizes);
      const written = new Set(captures.map((capture) => capture.observe().spec.fileMegabytes));
      await pruning.settled();
      await options.measure();
      const isMeasured = (each: RingSize) =>
        former.has(each) && (each.fileMegabytes === size.fileMegabytes || !written.has(each.fileMegabytes));
      formerSizes = formerSizes.filter((each) => !isMeasured(each));
    },
    ring: () => ({ size, formerSizes }),
    policy: () => policy,
    totals,
    folderTotals: folder.totals,
    capturedMs: () => earlier && earlier.capturedMs + endedTotals.capturedMs + runningMs(captures),
    hasCaptured: () => hasCaptured,
    async [Symbol.asyncDispose]() {
      await pruning[Symbol.asyncDispose]();
      // The newest file of an ended capture is complete: it can push out older ones, which no capture counts any more.
      const pruned = pruning.takePruned();
      if (pruned === 0 || !lastEnded) return;
      await lastEnded.addPruned(pruned);
      endedTotals = addTotals(endedTotals, { ...noTotals, pruned });
      onCount({ totals: totals(), isStalled: false });
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

/** Two captures that overlap count once. */
function runningMs(captures: readonly Capture[]): number {
  const [first] = captures.flatMap((capture) => capture.observe().listeningMs ?? []);
  return first === undefined ? 0 : performance.now() - first;
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
  formerSizes: readonly RingSize[],
  { former, requested }: { readonly former: RingSize; readonly requested: RingSize },
): readonly RingSize[] {
  if (ringBytes(former) === ringBytes(requested)) return formerSizes;
  const others = formerSizes.filter(
    ({ files, fileMegabytes }) => files !== former.files || fileMegabytes !== former.fileMegabytes,
  );
  return [...others, { files: former.files, fileMegabytes: former.fileMegabytes }];
}
