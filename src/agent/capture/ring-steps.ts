import type { Network } from '../netns/cni-entry.ts';
import { isSameTcpdump } from '../planner/annotations.ts';
import { isGone } from './goal.ts';
import {
  type Desired,
  filterKey,
  isFolderBusy,
  isListening,
  isRunning,
  isSameCapture,
  keyOf,
  type Observed,
  type ObservedCapture,
  type RingSpec,
  type Step,
} from './pod-state.ts';
import {
  capturesOf,
  coveredMs,
  isBeside,
  isOtherHandover,
  isStarting,
  mayStartAnother,
  newestOf,
  ofOtherInterfaces,
  takeoverMs,
  takesSpareRing,
} from './ring-captures.ts';
import { notBefore, now, type Wanted } from './wanted-steps.ts';

/** Every plan can leave more capacity than the one before: how often the loop looks. */
const capacityRetryMs = 5_000;

/** What the rings of a Pod are captured in. */
type Surroundings = { readonly rings: readonly RingSpec[]; readonly network: Network };

/**
 * Ensures that each ring is captured in that network by one tcpdump, which replaces the others of the ring. One after
 * the other: what one ring starts counts for the next one.
 */
export function ringsSteps(
  { rings, network }: Surroundings,
  desired: Pick<Desired, 'revision'>,
  observed: Observed,
): Wanted[] {
  let seen = observed;
  return rings.flatMap((ring) => {
    const wanted = ringSteps(ring, { rings, network }, seen);
    for (const { step, atMs } of wanted.map((each) => notBefore(each, desired, seen)))
      if (step?.kind === 'start' && atMs <= observed.nowMs) seen = afterStart(step, rings, seen);
    return wanted;
  });
}

/**
 * Stops the captures of interfaces that are not wanted any more. While rings are not captured yet, as many of them go
 * on, those that have listened last: a ring takes over from one of them.
 */
export function otherInterfaceSteps(rings: readonly RingSpec[], observed: Observed): Wanted[] {
  const others = ofOtherInterfaces(rings, observed.captures.filter(isRunning));
  const listening = others.filter(isListening);
  const newest = listening.at(-1);
  // In descending order: while two of them are in the future, two captures go on.
  const covered = rings.map((ring) => coveredMs(ring, observed)).toSorted((a, b) => b - a);
  return others.map((capture) => {
    const step = stopStep(capture);
    if (!newest || !isListening(capture)) return now(step);
    const atMs = covered[listening.length - 1 - listening.indexOf(capture)];
    return { step, atMs: atMs ?? takeoverMs(newest) };
  });
}

export function stopStep({ generation }: Pick<ObservedCapture, 'generation'>): Step {
  return { kind: 'stop', generation };
}

function ringSteps(ring: RingSpec, { rings, network }: Surroundings, observed: Observed): Wanted[] {
  const ours = capturesOf(ring, observed).filter(
    (capture) => capture.network.sandboxId === network.sandboxId,
  );
  const newest = newestOf(ring, network, observed);
  const older = ours.filter((capture) => isRunning(capture) && capture !== newest);
  const keeping = ours.filter(isRunning).flatMap((capture) => keepSteps(ring, capture));
  if (newest && older.length > 0) {
    const atMs = takeoverMs(newest);
    return [...keeping, ...older.map((capture) => ({ step: stopStep(capture), atMs }))];
  }
  // A capture whose interface is replaced continues until one of the interface that has its name runs.
  const isReplaced = newest?.condition.kind === 'replaced';
  if (newest && isSameCapture(newest.spec, ring) && !isReplaced) return keeping;
  // One that is about to end is not there to be replaced: what passes until the next one listens is missed.
  const isEnding = ours.some((capture) => !isRunning(capture));
  // What a start takes is no reason to stop what it replaces.
  if (isStarting(ring, observed)) return keeping;
  if (isEnding || isFolderBusy(observed) || !isReady(ring, observed)) return keeping;
  if (!isBeside(ring, rings, observed) || observed.spareRings > 0) {
    const mayStart = mayStartAnother(ring, rings, observed);
    return mayStart ? [...keeping, startStep(ring, network, observed)] : keeping;
  }
  if (isOtherHandover(ring, rings, observed)) return keeping;
  // Without capacity for both, what passes between them is missed: another receive ring is not worth that.
  if (newest && isSameTcpdump(newest.spec, ring) && !isReplaced)
    return [...keeping, { atMs: observed.nowMs + capacityRetryMs }];
  const others = ofOtherInterfaces(rings, observed.captures.filter(isRunning));
  const replaced = newest ? [newest] : others;
  return [...keeping, ...replaced.map((capture) => now(stopStep(capture)))];
}

/** What the rings after that one see. */
function afterStart(
  step: Step & { readonly kind: 'start' },
  rings: readonly RingSpec[],
  observed: Observed,
): Observed {
  return {
    ...observed,
    spareRings: observed.spareRings - (takesSpareRing(step.spec, rings, observed) ? 1 : 0),
    inFlight: new Map([...observed.inFlight, [keyOf(step), step]]),
  };
}

function startStep(ring: RingSpec, network: Network, { memory }: Observed): Wanted {
  const atMs = isGone(network, memory) ? (memory.goneSandbox?.untilMs ?? 0) : 0;
  return { step: { kind: 'start', spec: ring, network }, atMs };
}

/** The recording is open, and the filter accepted. */
function isReady({ filter }: RingSpec, { recording, memory: { outcomes } }: Observed): boolean {
  if (!recording) return false;
  return filter === undefined || outcomes.get(filterKey(filter))?.kind === 'done';
}

/** One that writes files of another size is about to be replaced: N of its files may hold less than N of the new size. */
function keepSteps({ files, fileMegabytes }: RingSpec, { generation, spec }: ObservedCapture): Wanted[] {
  return spec.files === files || spec.fileMegabytes !== fileMegabytes
    ? []
    : [now({ kind: 'keep', generation, files })];
}
