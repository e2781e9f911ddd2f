import {
  type DesiredPod,
  type DesiredPods,
  desiredAfter,
  nothingDesired,
  requestFor,
} from './desired-pods.ts';
import { type Fault, labels, type Operation, type PodChange, type PolicyChange } from './operations.ts';
import { type Random, randomOf } from './random.ts';

/** An operation, and the pause after it. */
export type SoakStep = { readonly operation: Operation; readonly pauseMs: number };

const nodes = ['node1', 'node2'] as const;
/** More than a second to compile. */
const heavyFilter = `portrange ${Array.from({ length: 190 }, (_, i) => `${2 * i}-${2 * i + 1}`).join('||')}`;
/** Invalid; a loop, which the kernel does not run; and one that takes too long to compile. */
const hostileFilters = ['tcp port', 'ip protochain 17', heavyFilter] as const;
const filters = ['udp', 'ip and udp', 'udp and greater 500', 'udp and not port 53'] as const;
/** How many Pods exist at a time, at most. */
const maxPods = 6;

/** Endless steps, each of which makes sense after those before it. The same seed yields the same steps. */
export function* stepsOf(seed: number): Generator<SoakStep, never> {
  const random = randomOf(seed);
  let desired = nothingDesired;
  for (let number = 1; ; number += 1) {
    const operation = nextOperation({ desired, number, random });
    desired = desiredAfter(desired, operation);
    yield { operation, pauseMs: random.whole(0, 3_000) };
  }
}

/** What the next operation is chosen from; `number` makes its text unique. */
type Situation = { readonly desired: DesiredPods; readonly number: number; readonly random: Random };

function nextOperation(situation: Situation): Operation {
  const { desired, random } = situation;
  const [first, ...others] = desired.pods.keys();
  if (first === undefined) return creation(situation);
  const pods = [first, ...others] as const;
  return random.whole(1, 100) <= 65 ? userChange(pods, situation) : fault(pods, random);
}

function fault(pods: readonly [string, ...string[]], random: Random): Fault {
  const node = random.pick(nodes);
  const pod = random.pick(pods);
  return random.pick<Fault>([
    { kind: 'killTcpdump', pod },
    { kind: 'killTcpdump', pod },
    { kind: 'pauseTcpdump', pod, ms: random.whole(200, 3_000) },
    { kind: 'pauseTcpdump', pod, ms: random.whole(200, 3_000) },
    { kind: 'hostileFiles', pod },
    { kind: 'killContainer', pod },
    { kind: 'killContainer', pod },
    { kind: 'killAgent', node },
    { kind: 'killSpawner', node },
    { kind: 'pauseSpawner', node, ms: random.whole(500, 8_000) },
    { kind: 'pauseAgent', node, ms: random.whole(500, 8_000) },
    { kind: 'deleteAgent', node },
    { kind: 'rollAgents' },
    { kind: 'killContainerd', node },
    { kind: 'cutOff', node, ms: random.whole(1_000, 20_000) },
    { kind: 'cutPower', node },
    { kind: 'fillDisk', ms: random.whole(1_000, 12_000) },
    { kind: 'restartApiServer' },
  ]);
}

/** Pods are created faster than they are deleted. */
function userChange(pods: readonly [string, ...string[]], situation: Situation): PodChange | PolicyChange {
  const { random } = situation;
  if (pods.length < maxPods && random.whole(1, 4) === 1) return creation(situation);
  return random.pick([
    ...anyPodChanges(random.pick(pods), random),
    ...policyChanges(situation),
    ...capturedPodChanges(situation),
    ...annotatedPodChanges(situation),
  ]);
}

type Change = PodChange | PolicyChange;

function anyPodChanges(pod: string, random: Random): [Change, ...Change[]] {
  const files = random.whole(1, 4);
  return [
    { kind: 'annotate', pod, files },
    { kind: 'annotate', pod, files },
    { kind: 'flap', pod, times: random.whole(2, 20), files },
    { kind: 'delete', pod, force: random.whole(1, 4) === 1 },
    { kind: 'label', pod, label: random.pick(labels) },
  ];
}

function policyChanges({ desired: { policy, pods }, random }: Situation): Change[] {
  const files = random.whole(1, 4);
  const apply = {
    kind: 'applyPolicy',
    files,
    isPaused: random.whole(1, 4) === 1,
    label: random.pick(labels),
  } as const;
  if (!policy) return [apply, apply];
  // A Pod that only the policy can capture.
  const [first, ...others] = namesOf(pods, ({ files: own }) => own === undefined);
  const moved: Change[] =
    first === undefined
      ? []
      : [{ kind: 'label', pod: random.pick([first, ...others]), label: random.pick(labels) }];
  return [apply, { kind: 'deletePolicy' }, ...moved];
}

function capturedPodChanges({ desired: { policy, pods }, number, random }: Situation): Change[] {
  const [first, ...others] = namesOf(pods, (pod) => requestFor(pod, policy)?.isPaused === false);
  if (first === undefined) return [];
  const freeze = { kind: 'freeze', pod: random.pick([first, ...others]), text: `freeze ${number}` } as const;
  return [freeze, freeze];
}

function annotatedPodChanges({ desired: { pods }, random }: Situation): Change[] {
  const [first, ...others] = namesOf(pods, ({ files }) => files !== undefined);
  if (first === undefined) return [];
  const annotated = [first, ...others] as const;
  const pick = () => random.pick(annotated);
  const [paused] = namesOf(pods, ({ isPaused }) => isPaused);
  const pause: Change = { kind: 'pause', pod: pick() };
  const resume: Change = { kind: 'resume', pod: paused ?? first };
  return [
    { kind: 'unannotate', pod: pick() },
    { kind: 'snaplen', pod: pick(), bytes: random.whole(128, 2_000) },
    { kind: 'filter', pod: pick(), filter: random.pick(filters) },
    {
      kind: 'hostileFilter',
      pod: pick(),
      filter: random.pick(hostileFilters),
      ms: random.whole(500, 8_000),
      after: random.pick(filters),
    },
    { kind: 'interfaces', pod: pick(), withLo: true },
    { kind: 'interfaces', pod: pick(), withLo: random.whole(1, 2) === 1 },
    // One Pod is paused at a time.
    ...(paused === undefined ? [pause, pause] : [resume, resume, resume]),
  ];
}

function namesOf(pods: DesiredPods['pods'], isChosen: (pod: DesiredPod) => boolean): string[] {
  return [...pods].flatMap(([name, pod]) => (isChosen(pod) ? [name] : []));
}

/** Names are reused, as by a StatefulSet. */
function creation({ desired: { pods }, random }: Situation): PodChange {
  const free = Array.from({ length: maxPods }, (_, i) => `soak-${i}`).find((name) => !pods.has(name));
  const files = random.whole(0, 4);
  return {
    kind: 'create',
    pod: free ?? 'soak-0',
    node: random.pick(nodes),
    label: random.pick(labels),
    ...(files > 0 && { files }),
    freezesOnRestart: random.whole(1, 2) === 1,
  };
}
