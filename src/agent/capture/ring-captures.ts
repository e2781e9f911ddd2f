import type { Network } from '../netns/cni-entry.ts';
import {
  alive,
  isListening,
  isRunning,
  type Observed,
  type ObservedCapture,
  type RingSpec,
} from './pod-state.ts';

/** Which captures write which ring of a Pod. Pure. */

/** One interface of a Pod. */
type OfInterface = Pick<RingSpec, 'interface'>;

/** When one capture replaces another, both capture for this long: both have what passes at the change. */
const overlapMs = 300;
/** For one ring: one that is replaced, or whose sandbox is gone, and the next one. */
const mostCaptures = 2;

/** The captures of that ring whose tcpdump has not ended, oldest first. */
export function capturesOf(ring: OfInterface, observed: Observed): ObservedCapture[] {
  return alive(observed).filter(({ spec }) => spec.interface === ring.interface);
}

/** The capture of that ring that replaces the others of it in that network; undefined if none runs there. */
export function newestOf(
  ring: OfInterface,
  { sandboxId }: Pick<Network, 'sandboxId'>,
  observed: Observed,
): ObservedCapture | undefined {
  return capturesOf(ring, observed).findLast(
    (capture) => isRunning(capture) && capture.network.sandboxId === sandboxId,
  );
}

/** Those of interfaces that are not wanted. */
export function ofOtherInterfaces(
  rings: readonly OfInterface[],
  captures: readonly ObservedCapture[],
): ObservedCapture[] {
  return captures.filter((capture) => !rings.some((ring) => ring.interface === capture.spec.interface));
}

/** When what that capture replaces is stopped: both have captured for a moment then. */
export function takeoverMs({ listeningMs = Number.POSITIVE_INFINITY }: ObservedCapture): number {
  return listeningMs + overlapMs;
}

/** From when on that ring needs no capture of an interface that is not wanted any more. */
export function coveredMs(ring: OfInterface, observed: Observed): number {
  const newest = capturesOf(ring, observed).findLast(isListening);
  return newest ? takeoverMs(newest) : Number.POSITIVE_INFINITY;
}

/**
 * Whether one more capture of that ring would be one more than the plan counts, which is one for each ring: it is to
 * replace another one of the ring, or one of an interface that is not wanted any more.
 */
export function isBeside(ring: OfInterface, rings: readonly OfInterface[], observed: Observed): boolean {
  const { network } = observed;
  if (network.kind === 'found' && newestOf(ring, network.network, observed)) return true;
  const written = rings.filter((other) => other.interface !== ring.interface && countOf(other, observed) > 0);
  return written.length + countOfOthers(rings, observed) >= rings.length;
}

/** Whether it takes what the plan leaves: also beside one whose sandbox is gone, which takes a moment to end. */
export function takesSpareRing(
  ring: OfInterface,
  rings: readonly OfInterface[],
  observed: Observed,
): boolean {
  return capturesOf(ring, observed).length > 0 || isBeside(ring, rings, observed);
}

/** Whether a capture of another ring is being replaced: what it takes is free in a moment. */
export function isOtherHandover(
  ring: OfInterface,
  rings: readonly OfInterface[],
  observed: Observed,
): boolean {
  return rings.some((other) => other.interface !== ring.interface && countOf(other, observed) > 1);
}

/** Whether one capture of that ring is left, if it is still wanted, and none of an interface that is not. */
export function isHandedOver(ring: OfInterface, rings: readonly OfInterface[], observed: Observed): boolean {
  return countOf(ring, observed) <= 1 && countOfOthers(rings, observed) === 0;
}

/** Whether a ring may have one more tcpdump: it has two at most, and the rings of a Pod twice as many as there are. */
export function mayStartAnother(
  ring: OfInterface,
  rings: readonly OfInterface[],
  observed: Observed,
): boolean {
  const all = alive(observed).length + startsIn(observed).length;
  return countOf(ring, observed) < mostCaptures && all < mostCaptures * rings.length;
}

/** Whether a tcpdump of that ring is being started, and does not run yet. */
export function isStarting(ring: OfInterface, observed: Pick<Observed, 'inFlight'>): boolean {
  return startsIn(observed).some((spec) => spec.interface === ring.interface);
}

/** How many tcpdumps of that ring run, or are being started. */
function countOf(ring: OfInterface, observed: Observed): number {
  const starts = startsIn(observed).filter((spec) => spec.interface === ring.interface);
  return capturesOf(ring, observed).length + starts.length;
}

function countOfOthers(rings: readonly OfInterface[], observed: Observed): number {
  const starts = startsIn(observed).filter(
    (spec) => !rings.some((ring) => ring.interface === spec.interface),
  );
  return ofOtherInterfaces(rings, alive(observed)).length + starts.length;
}

/** What tcpdumps are being started for. */
export function startsIn({ inFlight }: Pick<Observed, 'inFlight'>): RingSpec[] {
  return [...inFlight.values()].flatMap((step) => (step.kind === 'start' ? [step.spec] : []));
}
