import type { Network } from '../../netns/cni-entry.ts';
import type { CaptureSpec } from '../../planner/annotations.ts';
import type { Decision } from '../../planner/decisions.ts';
import { mostFilesAfterTrigger } from '../../storage/ring-size.ts';
import { nothingFrozen, podWith } from '../../testing/fixtures.ts';
import { desiredAfter } from '../desired.ts';
import { withoutHeld } from '../freeze-steps.ts';
import { nextSteps } from '../next-steps.ts';
import { afterCapture, afterStep, conclude, forgetFilters, noMemory } from '../pod-memory.ts';
import {
  type Desired,
  freezeKey,
  isSameCapture,
  isStillWritten,
  keyOf,
  type Memory,
  type Observed,
  type ObservedCapture,
  type ObservedFreeze,
  ringsOf,
  type Step,
  type StepKey,
  type StepResult,
  startKey,
} from '../pod-state.ts';
import { isBeside, isHandedOver, isStarting, startsIn, takesSpareRing } from '../ring-captures.ts';
import type { EndingCause } from '../tcpdump.ts';

/**
 * A small model of one Pod's world, in which nextSteps acts: what runs, what is on disk, and the API server. It throws
 * when a step does what must never be done.
 */
export type World = {
  nowMs: number;
  desired: Desired;
  network: Observed['network'];
  /** How many captures may run beside the ones that they replace. */
  spareRings: number;
  /** The interfaces of captures that do. */
  handovers: Set<string>;
  /** Those that the Pod has. Every other name is of no interface. */
  interfaces: ReadonlySet<string>;
  sandboxes: number;
  captures: ObservedCapture[];
  generations: number;
  folder: Observed['folder'];
  recording: Observed['recording'];
  memory: Memory;
  /** How many rings were asked for last. */
  rings: number;
  freeze: ObservedFreeze;
  /** How many times its container has ended. */
  crashes: number;
  /** Steps in flight, and the revision for which each began. */
  inFlight: Map<StepKey, { readonly step: Step; readonly forRevision: number }>;
  /** Whether the API server confirms a deletion that is asked for now. */
  confirms: boolean;
  /** The revision for which it last confirmed one. */
  permittedRevision: number | undefined;
  wakeAtMs: number | undefined;
};

export type Act =
  | {
      readonly kind: 'decide';
      readonly decision:
        | { readonly kind: 'record'; readonly spec: CaptureSpec }
        | { readonly kind: 'refuse' | 'delete' | 'keepEnded' | 'keepDuration' | 'forget' };
    }
  | { readonly kind: 'pass'; readonly ms: number }
  | { readonly kind: 'endStep'; readonly which: number; readonly succeeds: boolean }
  | { readonly kind: 'listen'; readonly which: number }
  | { readonly kind: 'endCapture'; readonly which: number; readonly cause: EndingCause }
  | { readonly kind: 'network'; readonly to: 'same' | 'next' | 'absent' | 'unreadable' }
  | { readonly kind: 'server'; readonly confirms: boolean }
  | { readonly kind: 'capacity'; readonly spareRings: number }
  /** The Pod gets that interface, or loses it: what captures it ends. */
  | { readonly kind: 'interface'; readonly name: string; readonly exists: boolean }
  /** The container of the Pod ends. */
  | { readonly kind: 'crash' }
  /** A capture that is being frozen has that many files more. */
  | { readonly kind: 'files'; readonly which: number; readonly more: number };

const bufferKib = new Map(['eth0', 'lo', 'net1', 'net7'].map((name) => [name, 4_096]));
const delayMs = 5_000;
/** More than any wait of the next steps. */
const settledAfterMs = 300_000;

export function newWorld(): World {
  return {
    nowMs: 0,
    desired: { revision: 0, kind: 'rest', why: { kind: 'unknown' } },
    network: { kind: 'absent', problem: 'none', sinceMs: 0 },
    spareRings: 1,
    handovers: new Set(),
    interfaces: new Set(['eth0', 'lo', 'net1']),
    sandboxes: 0,
    captures: [],
    generations: 0,
    folder: undefined,
    recording: undefined,
    memory: noMemory,
    rings: 1,
    freeze: nothingFrozen,
    crashes: 0,
    inFlight: new Map(),
    confirms: true,
    permittedRevision: undefined,
    wakeAtMs: undefined,
  };
}

/** Something happens; then the steps that are due begin. */
export function act(world: World, what: Act): void {
  switch (what.kind) {
    case 'decide':
      decide(world, decisionOf(what.decision));
      break;
    case 'pass':
      world.nowMs += what.ms;
      break;
    case 'endStep':
      endStep(world, pick([...world.inFlight.keys()], what.which), what.succeeds);
      break;
    case 'listen':
      listen(world, pick(world.captures, what.which));
      break;
    case 'endCapture':
      endCapture(world, pick(world.captures, what.which), what.cause);
      break;
    case 'network':
      changeNetwork(world, what.to);
      break;
    case 'server':
      world.confirms = what.confirms;
      break;
    case 'capacity':
      world.spareRings = what.spareRings;
      break;
    case 'interface':
      changeInterface(world, what.name, what.exists);
      break;
    case 'crash':
      world.crashes += 1;
      break;
    case 'files': {
      const held = pick(
        world.captures.filter(({ filesSinceHeld }) => filesSinceHeld !== undefined),
        what.which,
      );
      if (held) replace(world, held.generation, { filesSinceHeld: (held.filesSinceHeld ?? 0) + what.more });
    }
  }
  react(world);
}

/**
 * Lets the world go on without any change: every step ends well, every tcpdump listens, time passes. The API server
 * answers as before.
 */
export function settle(world: World): void {
  if (world.network.kind === 'unreadable') changeNetwork(world, 'same');
  const untilMs = world.nowMs + settledAfterMs;
  for (let round = 0; round < 2_000; round += 1) {
    react(world);
    const [key] = world.inFlight.keys();
    const starting = world.captures.find(({ phase }) => phase.kind === 'starting');
    if (key !== undefined) endStep(world, key, true);
    else if (starting && world.interfaces.has(starting.spec.interface)) listen(world, starting);
    else if (starting) endCapture(world, starting, 'noSuchDevice');
    // What is tried again from time to time is settled as well.
    else if (world.wakeAtMs === undefined || world.nowMs > untilMs) return;
    else world.nowMs = Math.max(world.nowMs, world.wakeAtMs);
  }
  throw new Error('the world does not settle');
}

function decisionOf(decision: (Act & { kind: 'decide' })['decision']): Decision | undefined {
  const pod = podWith();
  switch (decision.kind) {
    case 'record':
      return { kind: 'record', pod, spec: decision.spec };
    case 'refuse':
      return { kind: 'refuse', pod, refusal: { reason: 'OverBudget', message: 'too much' } };
    case 'delete':
      return { kind: 'delete', pod, why: 'AnnotationRemoved' };
    case 'keepEnded':
      return { kind: 'keep', why: 'PodEnded' };
    case 'keepDuration':
      return { kind: 'keep', why: 'DurationReached' };
    case 'forget':
      return undefined;
  }
}

function decide(world: World, decision: Decision | undefined): void {
  const { desired, nowMs } = world;
  const state = desiredAfter(desired, decision, { bufferKib, longestEndMs: 60_000, nowMs });
  world.desired = { ...state, revision: desired.revision + 1 };
  const rings = ringsOf(world.desired).length;
  if (world.recording && rings > 0 && rings !== world.rings) {
    const former = { files: 1, fileMegabytes: 1, rings: world.rings };
    world.recording = { formerSizes: [...world.recording.formerSizes, former] };
  }
  if (rings > 0) world.rings = rings;
  world.memory = forgetFilters(world.memory, desired, world.desired);
}

function observe(world: World): Observed {
  const { nowMs, network, captures, folder, recording, memory, handovers } = world;
  const spareRings = Math.max(0, world.spareRings - handovers.size);
  const inFlight = new Map([...world.inFlight].map(([key, { step }]) => [key, step]));
  const freeze = { ...world.freeze, pod: podOf(world) };
  return { nowMs, network, spareRings, captures, folder, recording, memory, inFlight, freeze };
}

function podOf({ crashes }: World): ObservedFreeze['pod'] {
  const lastEnd = { id: `run-${crashes}`, exitCode: 1, reason: 'Error' };
  const container = {
    name: 'app',
    kind: 'main' as const,
    restarts: 0,
    isReady: true,
    mayComplete: false,
    hasCompleted: false,
  };
  return { phase: 'Running', containers: [{ ...container, ...(crashes > 0 && { lastEnd }) }] };
}

function react(world: World): void {
  for (let round = 0; round < 50; round += 1) {
    endHandovers(world);
    const { steps, wakeAtMs } = nextSteps(world.desired, observe(world));
    world.wakeAtMs = wakeAtMs;
    if (steps.length === 0) return;
    for (const step of steps) begin(world, step);
  }
  throw new Error('the steps never end');
}

function isReplacedBy({ phase, network }: ObservedCapture, step: Step & { kind: 'start' }): boolean {
  return phase.kind !== 'ended' && network.sandboxId === step.network.sandboxId;
}

const folderSteps: ReadonlySet<Step['kind']> = new Set([
  'open',
  'close',
  'markEnded',
  'unmarkEnded',
  'erase',
]);

/** What must never be done. */
function problemOf(world: World, step: Step): string | undefined {
  const { captures, desired } = world;
  const problems: readonly [boolean, string][] = [
    ...(step.kind === 'start' ? startProblems(world, step) : []),
    [step.kind === 'stop' && isAsDesired(world, step.generation), 'stopped what runs as requested'],
    [
      step.kind === 'stop' && hasSilentSuccessor(world, step.generation),
      'stopped before what replaces it captures',
    ],
    [step.kind === 'open' && desired.kind !== 'capture', 'opened without a request'],
    [step.kind === 'close' && captures.length > 0, 'closed while a tcpdump runs'],
    [
      step.kind === 'erase' && world.permittedRevision !== desired.revision,
      'erased without permission for this revision',
    ],
    [step.kind === 'erase' && world.recording !== undefined, 'erased while it is recorded'],
    [
      step.kind === 'stop' && isFrozenTooShort(world, step.generation),
      'frozen without a capture that continues',
    ],
    [
      step.kind === 'setAside' &&
        captures.some(({ generation }) => generation <= (world.freeze.ring?.upTo ?? 0)),
      'set aside while it is captured',
    ],
    [
      ['close', 'erase'].includes(step.kind) && world.inFlight.has(freezeKey),
      `${step.kind} beside a step of freezing`,
    ],
  ];
  return problems.find(([isProblem]) => isProblem)?.[1];
}

function startProblems(world: World, step: Step & { kind: 'start' }): readonly [boolean, string][] {
  const { desired, handovers, spareRings, recording } = world;
  const { captures } = withoutHeld(observe(world));
  const specs = startsIn(observe(world));
  const rings = ringsOf(desired).length;
  const ofRing = [...captures.map(({ spec }) => spec), ...specs].filter(
    (spec) => spec.interface === step.spec.interface,
  );
  const written = captures.filter((other) => isReplacedBy(other, step)).length + specs.length + 1;
  // What was asked for before counts until it is measured.
  const former = (recording?.formerSizes ?? []).map((size) => size.rings);
  const allowed = Math.max(rings, ...former) + Math.max(spareRings, handovers.size);
  return [
    [ofRing.length > 1, 'a third tcpdump of one ring'],
    [captures.length + specs.length >= 2 * rings, 'more than two tcpdumps for each ring'],
    [written > allowed, 'started beside another one without capacity for both'],
  ];
}

/** Whether it is the newest capture of a ring that is asked for, and not refused. */
function isAsDesired(world: World, generation: number): boolean {
  const { desired, captures, network } = world;
  const capture = captures.find((each) => each.generation === generation);
  if (desired.kind !== 'capture' || !capture || network.kind !== 'found') return false;
  if (generation <= (world.freeze.ring?.upTo ?? 0)) return false;
  const { spec, condition } = capture;
  const isNewest = !captures.some(
    (other) => other.generation > generation && other.spec.interface === spec.interface,
  );
  return (
    isNewest &&
    !isRefused(world, spec) &&
    condition.kind === 'normal' &&
    capture.network.sandboxId === network.network.sandboxId &&
    desired.rings.some((ring) => isSameCapture(ring, spec))
  );
}

/** Whether another capture of its ring is being started, or does not listen yet, in the same network. */
function hasSilentSuccessor(world: World, generation: number): boolean {
  const { desired, captures, network } = world;
  const capture = captures.find((each) => each.generation === generation);
  if (desired.kind !== 'capture' || capture?.phase.kind !== 'listening' || network.kind !== 'found')
    return false;
  // Another one continues its ring (isFrozenTooShort).
  if (generation <= (world.freeze.ring?.upTo ?? 0)) return false;
  const { spec, network: itsOwn } = capture;
  const isWanted = desired.rings.some((ring) => ring.interface === spec.interface);
  if (!isWanted || itsOwn.sandboxId !== network.network.sandboxId || isRefused(world, spec)) return false;
  const isNext = (other: ObservedCapture) =>
    other.spec.interface === spec.interface && other.generation > generation;
  return (
    isStarting(spec, observe(world)) ||
    captures.some((other) => isNext(other) && other.phase.kind === 'starting')
  );
}

/** Whether it is of a ring that is being frozen, no other one captures that ring yet, and it may still go on. */
function isFrozenTooShort(world: World, generation: number): boolean {
  const { desired, captures, network, freeze, nowMs } = world;
  const held = captures.find((each) => each.generation === generation);
  if (desired.kind !== 'capture' || held?.phase.kind !== 'listening' || network.kind !== 'found')
    return false;
  const { ring } = freeze;
  // If all are refused, the recording ends.
  if (!ring || generation > ring.upTo || desired.rings.every((each) => isRefused(world, each))) return false;
  const isWanted = desired.rings.some(({ interface: name }) => name === held.spec.interface);
  if (!isWanted || held.network.sandboxId !== network.network.sandboxId) return false;
  const isLong = (held.filesSinceHeld ?? 0) >= mostFilesAfterTrigger(held.spec);
  const isLate = nowMs >= ring.sinceMs + desired.request.freeze.afterMs + 60_000;
  const continues = captures.some(
    ({ generation: other, spec, phase }) =>
      other > ring.upTo && spec.interface === held.spec.interface && phase.kind === 'listening',
  );
  return !isLong && !isLate && !continues;
}

function isRefused({ memory, desired }: World, spec: ObservedCapture['spec']): boolean {
  const isTooHeavy = ringsOf(desired).some(({ filter }) => filter === 'too heavy');
  return isTooHeavy || memory.outcomes.get(startKey(spec))?.kind === 'refused';
}

/** As the loop does (pod-loop.ts). */
function beginHandover(world: World, { spec }: Step & { kind: 'start' }): void {
  const { desired, handovers, spareRings } = world;
  const observed = withoutHeld(observe(world));
  const isMore = isBeside(spec, ringsOf(desired), observed);
  if (isMore && handovers.size >= spareRings) throw new Error('a handover that there is no capacity for');
  if (takesSpareRing(spec, ringsOf(desired), observed)) handovers.add(spec.interface);
}

function endHandovers(world: World): void {
  const observed = withoutHeld(observe(world));
  for (const name of world.handovers)
    if (isHandedOver({ interface: name }, ringsOf(world.desired), observed)) world.handovers.delete(name);
}

function changeInterface(world: World, name: string, exists: boolean): void {
  const others = [...world.interfaces].filter((other) => other !== name);
  world.interfaces = new Set(exists ? [...others, name] : others);
  if (exists) return;
  for (const capture of world.captures)
    if (capture.spec.interface === name && capture.phase.kind !== 'starting')
      endCapture(world, capture, 'interfaceGone');
}

function begin(world: World, step: Step): void {
  if (step.kind === 'account') return account(world, step.generation);
  if (step.kind === 'cancel') {
    world.inFlight.delete(step.key);
    return;
  }
  const problem = problemOf(world, step);
  if (problem !== undefined) throw new Error(problem);
  if (step.kind === 'start') beginHandover(world, step);
  if (step.kind === 'stop') replace(world, step.generation, { phase: { kind: 'stopping' } });
  const key = keyOf(step);
  const others = [...world.inFlight.values()].map((begun) => begun.step.kind);
  if (folderSteps.has(step.kind) && others.some((kind) => folderSteps.has(kind))) {
    throw new Error(`${step.kind} beside another step of the folder`);
  }
  if (world.inFlight.has(key)) throw new Error(`${key} began twice`);
  world.inFlight.set(key, { step, forRevision: world.desired.revision });
}

function account(world: World, generation: number): void {
  const capture = captureOf(world, generation);
  if (capture?.phase.kind !== 'ended') throw new Error('accounted for before its end');
  const conclusion = conclude(capture, capture.phase.ending, world.desired, observe(world));
  const { revision: forRevision } = world.desired;
  world.captures = world.captures.filter((other) => other !== capture);
  const at = { forRevision, nowMs: world.nowMs, delayMs };
  world.memory = afterCapture(world.memory, capture, conclusion, at);
}

function endStep(world: World, key: StepKey | undefined, succeeds: boolean): void {
  const begun = key === undefined ? undefined : world.inFlight.get(key);
  if (key === undefined || !begun) return;
  const { step, forRevision } = begun;
  world.inFlight.delete(key);
  const result = resultOf(world, step, succeeds);
  if (result.kind === 'done') apply(world, step, forRevision);
  const end = { key, kind: step.kind, forRevision, nowMs: world.nowMs, delayMs };
  world.memory = afterStep(world.memory, end, result);
}

function resultOf(world: World, step: Step, succeeds: boolean): StepResult {
  if (step.kind === 'checkFilter' && step.filter === 'too heavy' && succeeds) {
    const refusal = { reason: 'InvalidFilter', message: 'too heavy' } as const;
    return { kind: 'refused', refusal, retryMs: Number.POSITIVE_INFINITY };
  }
  const fails = !succeeds || (step.kind === 'askWhetherToErase' && !world.confirms);
  // A tcpdump that is stopped always ends.
  const canFail = step.kind !== 'stop' && step.kind !== 'giveUp' && step.kind !== 'keep';
  return fails && canFail ? { kind: 'failed', message: 'broken' } : { kind: 'done' };
}

function apply(world: World, step: Step, forRevision: number): void {
  switch (step.kind) {
    case 'open':
      world.folder = { hasEndOfPod: false, isOnlyFrozen: false };
      world.recording = { formerSizes: [] };
      return;
    case 'start':
      return startCapture(world, step.spec, step.network);
    case 'keep': {
      const capture = captureOf(world, step.generation);
      if (capture && step.files === 0) replace(world, step.generation, { filesSinceHeld: 0 });
      else if (capture) replace(world, step.generation, { spec: { ...capture.spec, files: step.files } });
      return;
    }
    case 'stop':
      return endCapture(world, captureOf(world, step.generation), 'stopped');
    case 'giveUp':
      return endCapture(world, captureOf(world, step.generation), 'failed');
    case 'askWhetherToErase':
      world.permittedRevision = forRevision;
      return;
    case 'measure':
      return measure(world);
    case 'close':
      world.recording = undefined;
      return;
    case 'markEnded':
      world.folder = { hasEndOfPod: true, isOnlyFrozen: false };
      return;
    case 'unmarkEnded':
      world.folder = { hasEndOfPod: false, isOnlyFrozen: false };
      return;
    case 'erase':
      world.folder = undefined;
      world.freeze = nothingFrozen;
      return;
    case 'noteFreeze':
      world.freeze = { ...world.freeze, log: { ...step.log, sequence: 1 } };
      return;
    case 'beginFreeze': {
      const ring = { number: world.generations, upTo: world.generations, sinceMs: world.nowMs };
      world.freeze = { ...world.freeze, log: { ...step.log, sequence: 1 }, ring, lastMs: world.nowMs };
      return;
    }
    case 'setAside':
      world.freeze = { ...world.freeze, ring: undefined };
      return;
    case 'checkFilter':
    case 'account':
    case 'cancel':
      return;
  }
}

function measure(world: World): void {
  const { recording, desired, captures } = world;
  const written = [...captures, ...startsIn(observe(world)).map((spec) => ({ spec }))];
  world.recording = recording && {
    formerSizes: recording.formerSizes.filter((size) => isStillWritten(size, ringsOf(desired), written)),
  };
}

function startCapture(world: World, spec: ObservedCapture['spec'], network: Network): void {
  world.generations += 1;
  world.captures.push({
    generation: world.generations,
    network,
    spec,
    phase: { kind: 'starting', sinceMs: world.nowMs },
    listeningMs: undefined,
    silentSinceMs: undefined,
    isRingFull: false,
    reported: { generation: world.generations, missedBefore: { kind: 'unknown' } },
    isOtherInterface: false,
    condition: { kind: 'normal' },
    filesSinceHeld: undefined,
  });
}

function listen(world: World, capture: ObservedCapture | undefined): void {
  if (capture?.phase.kind !== 'starting' || !world.interfaces.has(capture.spec.interface)) return;
  replace(world, capture.generation, { phase: { kind: 'listening' }, listeningMs: world.nowMs });
}

function endCapture(world: World, capture: ObservedCapture | undefined, cause: EndingCause): void {
  if (!capture || capture.phase.kind === 'ended') return;
  const ending = {
    kind: 'ended',
    cause,
    message: cause,
    statistics: undefined,
    writeError: undefined,
    unwritten: 0,
  } as const;
  replace(world, capture.generation, { phase: { kind: 'ended', ending } });
}

function changeNetwork(world: World, to: (Act & { kind: 'network' })['to']): void {
  const sinceMs = world.nowMs;
  if (to === 'next') world.sandboxes += 1;
  if (to === 'absent') world.network = { kind: to, problem: 'none', sinceMs };
  else if (to === 'unreadable') world.network = { kind: to, sinceMs };
  else {
    const sandboxId = `sandbox${world.sandboxes}`;
    const isSame = world.network.kind === 'found' && world.network.network.sandboxId === sandboxId;
    if (!isSame)
      world.network = {
        kind: 'found',
        network: { sandboxId, netns: `/netns/${sandboxId}`, addresses: [] },
        sinceMs,
      };
  }
}

function captureOf({ captures }: World, generation: number): ObservedCapture | undefined {
  return captures.find((capture) => capture.generation === generation);
}

function replace(world: World, generation: number, change: Partial<ObservedCapture>): void {
  world.captures = world.captures.map((capture) =>
    capture.generation === generation ? { ...capture, ...change } : capture,
  );
}

function pick<T>(all: readonly T[], which: number): T | undefined {
  return all.length === 0 ? undefined : all[which % all.length];
}
