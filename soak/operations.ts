import { type Random, randomOf } from './random.ts';

/** What happens to the cluster: a user changes a Pod, or something fails. */
export type Operation = PodChange | Fault;

/** What users do. */
export type PodChange =
  /** A Pod that sends numbered datagrams; without `files` it has no annotation. */
  | { readonly kind: 'create'; readonly pod: string; readonly node: string; readonly files?: number }
  | { readonly kind: 'delete'; readonly pod: string; readonly force: boolean }
  | { readonly kind: 'annotate'; readonly pod: string; readonly files: number }
  | { readonly kind: 'unannotate'; readonly pod: string }
  /** The annotation is removed and set again as fast as the API server allows; it is set in the end. */
  | { readonly kind: 'flap'; readonly pod: string; readonly times: number; readonly files: number }
  /** A new tcpdump takes over. */
  | { readonly kind: 'snaplen'; readonly pod: string; readonly bytes: number }
  /** A new tcpdump takes over. Every filter matches what the Pod sends. */
  | { readonly kind: 'filter'; readonly pod: string; readonly filter: string }
  /** A filter that is refused, for that long, and then another one. */
  | {
      readonly kind: 'hostileFilter';
      readonly pod: string;
      readonly filter: string;
      readonly ms: number;
      readonly after: string;
    };

/** What fails, and for how long. */
export type Fault =
  | { readonly kind: 'killTcpdump'; readonly pod: string }
  | { readonly kind: 'pauseTcpdump'; readonly pod: string; readonly ms: number }
  /** tcpdump's user leaves pipes, links and false names in the Pod's folder. */
  | { readonly kind: 'hostileFiles'; readonly pod: string }
  | { readonly kind: 'killContainer'; readonly pod: string }
  | { readonly kind: 'killAgent'; readonly node: string }
  | { readonly kind: 'killSpawner'; readonly node: string }
  | { readonly kind: 'pauseSpawner'; readonly node: string; readonly ms: number }
  | { readonly kind: 'pauseAgent'; readonly node: string; readonly ms: number }
  | { readonly kind: 'deleteAgent'; readonly node: string }
  | { readonly kind: 'rollAgents' }
  | { readonly kind: 'killContainerd'; readonly node: string }
  /** Packets between the Node's Pods, its agent among them, and the API server are silently dropped. */
  | { readonly kind: 'cutOff'; readonly node: string; readonly ms: number }
  | { readonly kind: 'cutPower'; readonly node: string }
  /** Another program fills the disk of both Nodes, so that less is available than captures leave free. */
  | { readonly kind: 'fillDisk'; readonly ms: number }
  | { readonly kind: 'restartApiServer' };

/** An operation, and the pause after it. */
export type SoakStep = { readonly operation: Operation; readonly pauseMs: number };

/** The Pods that exist, by name. */
export type DesiredPods = ReadonlyMap<string, DesiredPod>;

/** Where a Pod runs, and what its annotation asks for. */
export type DesiredPod = {
  readonly node: string;
  /** How many files; undefined for a Pod that is not annotated. */
  readonly files: number | undefined;
};

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
  let desired: DesiredPods = new Map();
  for (;;) {
    const operation = nextOperation(desired, random);
    desired = desiredAfter(desired, operation);
    yield { operation, pauseMs: random.whole(0, 3_000) };
  }
}

/** The Pods and their annotations after an operation. Pure. */
export function desiredAfter(before: DesiredPods, operation: Operation): DesiredPods {
  const after = new Map(before);
  const pod = 'pod' in operation ? before.get(operation.pod) : undefined;
  switch (operation.kind) {
    case 'create':
      return after.set(operation.pod, { node: operation.node, files: operation.files });
    case 'delete':
      after.delete(operation.pod);
      return after;
    case 'annotate':
    case 'flap':
      return pod ? after.set(operation.pod, { ...pod, files: operation.files }) : before;
    case 'unannotate':
      return pod ? after.set(operation.pod, { ...pod, files: undefined }) : before;
    case 'snaplen':
    case 'filter':
    case 'hostileFilter':
    case 'hostileFiles':
    case 'killTcpdump':
    case 'pauseTcpdump':
    case 'killContainer':
    case 'killAgent':
    case 'killSpawner':
    case 'pauseSpawner':
    case 'pauseAgent':
    case 'deleteAgent':
    case 'rollAgents':
    case 'killContainerd':
    case 'cutOff':
    case 'cutPower':
    case 'fillDisk':
    case 'restartApiServer':
      return before;
  }
}

/** Whether it is a fault, and not a change of a Pod. */
export function isFault(operation: Operation): operation is Fault {
  return ![
    'create',
    'delete',
    'annotate',
    'unannotate',
    'flap',
    'snaplen',
    'filter',
    'hostileFilter',
  ].includes(operation.kind);
}

function nextOperation(desired: DesiredPods, random: Random): Operation {
  const pods = [...desired];
  const captured = pods.flatMap(([name, { files }]) => (files === undefined ? [] : [name]));
  const idle = pods.flatMap(([name, { files }]) => (files === undefined ? [name] : []));
  const [first, ...others] = [...captured, ...idle];
  if (first === undefined || random.whole(1, 100) <= 60) return podChange({ captured, idle }, random);
  const node = random.pick(nodes);
  const pod = random.pick([first, ...others]);
  return random.pick<Fault>([
    { kind: 'killTcpdump', pod },
    { kind: 'killTcpdump', pod },
    { kind: 'pauseTcpdump', pod, ms: random.whole(200, 3_000) },
    { kind: 'pauseTcpdump', pod, ms: random.whole(200, 3_000) },
    { kind: 'hostileFiles', pod },
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

type PodChoices = { readonly captured: readonly string[]; readonly idle: readonly string[] };

function podChange({ captured, idle }: PodChoices, random: Random): PodChange {
  const files = random.whole(1, 4);
  const [first, ...others] = [...captured, ...idle];
  const create = creation([...captured, ...idle], random);
  if (first === undefined) return create;
  const pod = random.pick([first, ...others]);
  const choices: [PodChange, ...PodChange[]] = [
    { kind: 'annotate', pod, files },
    { kind: 'annotate', pod, files },
    { kind: 'flap', pod, times: random.whole(2, 20), files },
    { kind: 'delete', pod, force: random.whole(1, 4) === 1 },
  ];
  const [some, ...more] = captured;
  if (some !== undefined) {
    choices.push({ kind: 'unannotate', pod: random.pick([some, ...more]) });
    choices.push({ kind: 'snaplen', pod: random.pick([some, ...more]), bytes: random.whole(128, 2_000) });
    choices.push({ kind: 'filter', pod: random.pick([some, ...more]), filter: random.pick(filters) });
    choices.push({
      kind: 'hostileFilter',
      pod: random.pick([some, ...more]),
      filter: random.pick(hostileFilters),
      ms: random.whole(500, 8_000),
      after: random.pick(filters),
    });
  }
  // Pods are created faster than they are deleted.
  return captured.length + idle.length < maxPods && random.whole(1, 3) === 1 ? create : random.pick(choices);
}

/** Names are reused, as by a StatefulSet. */
function creation(taken: readonly string[], random: Random): PodChange {
  const free = Array.from({ length: maxPods }, (_, i) => `soak-${i}`).find((name) => !taken.includes(name));
  const files = random.whole(0, 4);
  return {
    kind: 'create',
    pod: free ?? 'soak-0',
    node: random.pick(nodes),
    ...(files > 0 && { files }),
  };
}
