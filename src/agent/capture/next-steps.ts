import type { Network } from '../netns/cni-entry.ts';
import { isSameTcpdump } from '../planner/annotations.ts';
import { type Goal, goalOf, isGone, isLeft, mayErase } from './goal.ts';
import {
  alive,
  type Desired,
  filterKey,
  hasLostNetwork,
  isInFlight,
  isSameCapture,
  keyOf,
  type NextSteps,
  type Observed,
  type ObservedCapture,
  type RingSpec,
  reportOfCapture,
  requestIn,
  type Step,
} from './pod-state.ts';

/** How long tcpdump may take to notice that its interface is gone. */
const networkEndMs = 1_000;
/** When one capture replaces another, both capture for this long: both have what passes at the change. */
const overlapMs = 300;
/** For one ring: one that is replaced, or whose sandbox is gone, and the next one. */
const mostCaptures = 2;
/** Every plan can leave more capacity than the one before: how often the loop looks. */
const capacityRetryMs = 5_000;
/** A Pod gets its network within seconds; after this time, people are told what is missing. */
const networkDueMs = 60_000;
/** A change of the network wakes the loop; this is for a network that could not be read. */
const networkRetryMs = 5_000;
/** A tcpdump starts within milliseconds; the rest is for an overloaded machine. */
const startWithinMs = 60_000;

/**
 * Returns what to do for one Pod, from what is desired and what is observed. Pure. The loop asks again whenever
 * something has changed, and at `wakeAtMs`; it does not wait for a step. A step that cannot begin yet, because one of
 * its key is in flight or has just failed, is not returned.
 */
export function nextSteps(desired: Desired, observed: Observed): NextSteps {
  const ended = accountSteps(observed);
  // What the next steps are depends on why it ended.
  if (ended.length > 0) return { steps: ended, wakeAtMs: observed.nowMs, report: undefined };
  const goal = goalOf(desired, observed);
  const wanted = [
    ...eraseSteps(desired, observed),
    ...(goal.kind === 'run' ? runSteps(goal, observed) : stopSteps(goal, observed)),
    ...measureSteps(goal.kind === 'run' ? goal.rings : [], observed),
  ];
  const due = wanted.map((each) => notBefore(each, desired, observed));
  const steps = due.flatMap(({ step, atMs }) => (atMs <= observed.nowMs && step ? [step] : []));
  // There may be two reasons to stop a capture.
  const byKey = new Map(steps.map((step) => [keyOf(step), step]));
  return {
    steps: [...byKey.values(), ...cancelSteps(goal, observed)],
    wakeAtMs: earliest(
      due.map(({ atMs }) => atMs),
      observed.nowMs,
    ),
    report: reportOf(goal, desired, observed),
  };
}

/** A step that is wanted, or only a time at which to look again. */
type Wanted = { readonly step?: Step; readonly atMs: number };

const now = (step: Step): Wanted => ({ step, atMs: 0 });

function accountSteps({ captures }: Observed): Step[] {
  return captures.flatMap(({ generation, phase }) =>
    phase.kind === 'ended' ? [{ kind: 'account', generation }] : [],
  );
}

/** Ensures that the API server is asked about each deletion, while anything is left to be deleted. */
function eraseSteps(desired: Desired, observed: Observed): Wanted[] {
  if (desired.kind !== 'erase' || !isLeft(observed) || mayErase(desired, observed)) return [];
  // It may be erased already, for an earlier revision.
  if (isInFlight(observed, 'erase')) return [];
  return [now({ kind: 'askWhetherToErase', why: desired.why })];
}

/** Ensures that each ring is captured in the Pod's network, by one tcpdump that replaces the others. */
function runSteps({ rings, untilMs }: Goal & { readonly kind: 'run' }, observed: Observed): Wanted[] {
  const { network, recording } = observed;
  const isBusy = isFolderBusy(observed);
  return [
    ...(recording || isBusy ? [] : [now({ kind: 'open' })]),
    ...filtersOf(rings).map((filter) => now({ kind: 'checkFilter', filter })),
    ...lostSteps(observed),
    ...stuckSteps(observed),
    ...otherInterfaces(rings, observed),
    ...(network.kind === 'found'
      ? rings.flatMap((ring) => ringSteps(ring, { rings, network: network.network }, observed))
      : [{ atMs: observed.nowMs + networkRetryMs }, { atMs: network.sinceMs + networkDueMs }]),
    ...(untilMs === undefined ? [] : [{ atMs: untilMs }]),
  ];
}

function filtersOf(rings: readonly RingSpec[]): string[] {
  return [...new Set(rings.flatMap(({ filter }) => filter ?? []))];
}

/** tcpdump ends by itself when its interface is deleted; one that does not is stopped. */
function lostSteps(observed: Observed): Wanted[] {
  const { network } = observed;
  return alive(observed).flatMap((capture) =>
    hasLostNetwork(capture, network) && capture.phase.kind !== 'stopping'
      ? [{ step: stopStep(capture), atMs: network.sinceMs + networkEndMs }]
      : [],
  );
}

function stuckSteps(observed: Observed): Wanted[] {
  return alive(observed).flatMap(({ generation, phase }) =>
    phase.kind === 'starting'
      ? [{ step: { kind: 'giveUp', generation }, atMs: phase.sinceMs + startWithinMs } as const]
      : [],
  );
}

/**
 * Of the captures of interfaces that are not wanted any more, the one that has listened last runs until every interface
 * that is wanted is captured: as requested, or by a later capture.
 */
function otherInterfaces(rings: readonly RingSpec[], observed: Observed): Wanted[] {
  const others = ofOtherInterfaces(rings, running(observed));
  const last = others.findLast(isListening);
  return others.map((capture) => {
    const step = stopStep(capture);
    if (!last || !isListening(capture)) return now(step);
    if (capture !== last) return { step, atMs: takeoverMs(last) };
    const takenOverMs = rings.map((ring) => {
      const newest = running(observed).findLast(({ spec }) => spec.interface === ring.interface);
      const isTakeover = newest && (isSameCapture(newest.spec, ring) || newest.generation > last.generation);
      return isTakeover ? takeoverMs(newest) : Number.POSITIVE_INFINITY;
    });
    return { step, atMs: Math.max(...takenOverMs) };
  });
}

function ofOtherInterfaces(
  rings: readonly RingSpec[],
  captures: readonly ObservedCapture[],
): ObservedCapture[] {
  return captures.filter((capture) => !rings.some((ring) => ring.interface === capture.spec.interface));
}

/** What one ring of several is captured in. */
type Surroundings = { readonly rings: readonly RingSpec[]; readonly network: Network };

function ringSteps(ring: RingSpec, { rings, network }: Surroundings, observed: Observed): Wanted[] {
  const ofInterface = alive(observed).filter(({ spec }) => spec.interface === ring.interface);
  const ours = ofInterface.filter((capture) => capture.network.sandboxId === network.sandboxId);
  const newest = ours.findLast(isRunning);
  const older = ours.filter((capture) => isRunning(capture) && capture !== newest);
  const keeping = ours.filter(isRunning).flatMap((capture) => keepSteps(ring, capture));
  if (newest && older.length > 0) {
    const atMs = takeoverMs(newest);
    return [...keeping, ...older.map((capture) => ({ step: stopStep(capture), atMs }))];
  }
  // A capture whose interface is replaced continues until one of the interface that has its name runs.
  const isReplaced = newest?.condition.kind === 'replaced';
  if (newest && isSameCapture(newest.spec, ring) && !isReplaced) return keeping;
  const others = ofOtherInterfaces(rings, alive(observed));
  // Two are enough: one that another interface's capture has replaced makes room for the next one.
  const successor = others.findLast(isListening);
  if (newest && successor && successor.generation > newest.generation)
    return [...keeping, { step: stopStep(newest), atMs: takeoverMs(successor) }];
  // One that is about to end is not there to be replaced: what passes until the next one listens is missed.
  const isEnding = ours.some((capture) => !isRunning(capture));
  if (isEnding || isFolderBusy(observed) || !isReady(ring, observed)) return keeping;
  const starting = startsOfOthers(ring, observed);
  const isAlone = !newest && others.length + starting === 0;
  if (isAlone || observed.mayOverlap) {
    const isFree = ofInterface.length + others.length + starting < mostCaptures;
    return isFree ? [...keeping, startStep(ring, network, observed)] : keeping;
  }
  // Without capacity for both, what passes between them is missed: another receive ring is not worth that.
  if (newest && isSameTcpdump(newest.spec, ring) && !isReplaced)
    return [...keeping, { atMs: observed.nowMs + capacityRetryMs }];
  const replaced = [...(newest ? [newest] : []), ...others.filter(isRunning)];
  return [...keeping, ...replaced.map((capture) => now(stopStep(capture)))];
}

function startStep(ring: RingSpec, network: Network, { memory }: Observed): Wanted {
  const atMs = isGone(network, memory) ? (memory.goneSandbox?.untilMs ?? 0) : 0;
  return { step: { kind: 'start', spec: ring, network }, atMs };
}

/** Of one interface, one start is in flight; after a changed request, there may be one of another interface. */
function startsOfOthers(ring: RingSpec, { inFlight }: Observed): number {
  const starts = [...inFlight.values()].filter(
    (step) => step.kind === 'start' && step.spec.interface !== ring.interface,
  );
  return starts.length;
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

/** When the captures before this one are stopped: both have captured for a moment then. */
function takeoverMs({ listeningMs = Number.POSITIVE_INFINITY }: ObservedCapture): number {
  return listeningMs + overlapMs;
}

/** Ensures that nothing runs, then that the recording is closed, and then what follows from the goal. */
function stopSteps({ why, after }: Goal & { readonly kind: 'stop' }, observed: Observed): Wanted[] {
  if (observed.captures.length > 0) {
    return alive(observed).flatMap((capture) =>
      capture.phase.kind === 'stopping' ? [] : [now(stopStep(capture))],
    );
  }
  if (isInFlight(observed, 'start') || isFolderBusy(observed)) return [];
  if (observed.recording) return [now({ kind: 'close', why })];
  switch (after.kind) {
    case 'nothing':
      return [];
    case 'report':
      return [...unmarkSteps(observed), ...(Number.isFinite(after.untilMs) ? [{ atMs: after.untilMs }] : [])];
    case 'markEnded':
      return observed.folder?.hasEndOfPod === false ? [now({ kind: 'markEnded' })] : [];
    case 'unmarkEnded':
      return unmarkSteps(observed);
    case 'erase':
      return observed.folder ? [now(after.step)] : [];
  }
}

/** A Pod that is only not captured has not ended: its files stay as long after its end as those of others. */
function unmarkSteps({ folder }: Observed): Wanted[] {
  return folder?.hasEndOfPod === true ? [now({ kind: 'unmarkEnded' })] : [];
}

/** Whether a step is in flight that opens or deletes the folder, or says what is in it: one at a time. */
function isFolderBusy(observed: Observed): boolean {
  return (['open', 'close', 'markEnded', 'unmarkEnded', 'erase'] as const).some((kind) =>
    isInFlight(observed, kind),
  );
}

/** Ensures that former sizes are measured, once no tcpdump writes files of that size any more. */
function measureSteps(rings: readonly RingSpec[], observed: Observed): Wanted[] {
  // A tcpdump whose file size is still right keeps running, and deletes its files beyond N.
  const isWritten = (fileMegabytes: number) =>
    !rings.some((ring) => ring.fileMegabytes === fileMegabytes) &&
    alive(observed).some(({ spec }) => spec.fileMegabytes === fileMegabytes);
  const { formerSizes = [] } = observed.recording ?? {};
  return formerSizes.some(({ fileMegabytes }) => !isWritten(fileMegabytes)) ? [now({ kind: 'measure' })] : [];
}

/** Only the check of a filter can take long. */
function cancelSteps(goal: Goal, { inFlight }: Observed): Step[] {
  const filters = goal.kind === 'run' ? filtersOf(goal.rings) : [];
  return [...inFlight].flatMap(([key, step]) =>
    step.kind === 'checkFilter' && !filters.includes(step.filter) ? [{ kind: 'cancel', key }] : [],
  );
}

/** Delays a step after a failure, and withholds it while one of its key is in flight, or has already succeeded. */
function notBefore(
  { step, atMs }: Wanted,
  { revision }: Pick<Desired, 'revision'>,
  observed: Observed,
): Wanted {
  if (!step) return { atMs };
  const key = keyOf(step);
  const outcome = observed.memory.outcomes.get(key);
  const isOver = step.kind === 'checkFilter' && (outcome?.kind === 'done' || outcome?.kind === 'refused');
  if (observed.inFlight.has(key) || isOver) return { step, atMs: Number.POSITIVE_INFINITY };
  const binds = outcome && outcome.kind !== 'done' && outcome.forRevision === revision;
  return { step, atMs: binds ? Math.max(atMs, outcome.notBeforeMs) : atMs };
}

function earliest(times: readonly number[], nowMs: number): number | undefined {
  const next = Math.min(...times.filter((atMs) => atMs > nowMs));
  return Number.isFinite(next) ? next : undefined;
}

function reportOf(goal: Goal, desired: Desired, observed: Observed): NextSteps['report'] {
  if (goal.kind === 'stop') {
    if (goal.why === 'Paused' && !observed.recording) return { kind: 'paused' };
    const isReported = goal.after.kind === 'report' && !observed.recording;
    return isReported ? { kind: 'refused', refusal: goal.after.refusal } : undefined;
  }
  const listening = observed.captures.findLast(isListening);
  if (listening) return reportOfCapture(listening, requestIn(desired));
  const { network, nowMs } = observed;
  if (network.kind !== 'absent' || alive(observed).length > 0) return undefined;
  const isOverdue = nowMs - network.sinceMs >= networkDueMs;
  return isOverdue ? { kind: 'waiting', problem: network.problem } : { kind: 'waiting' };
}

function stopStep({ generation }: ObservedCapture): Step {
  return { kind: 'stop', generation };
}

/** Those that are not about to end either. */
function running(observed: Observed): ObservedCapture[] {
  return observed.captures.filter(isRunning);
}

function isRunning({ phase }: ObservedCapture): boolean {
  return phase.kind === 'starting' || phase.kind === 'listening';
}

function isListening({ phase }: ObservedCapture): boolean {
  return phase.kind === 'listening';
}
