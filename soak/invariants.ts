/** What was seen of one life of a Pod. */
export type SeenPod = {
  readonly name: string;
  readonly uid: string;
  /** Whether the Pod is there still. */
  readonly lives: boolean;
  /** How many files are wanted; undefined for a Pod that is not to be captured, or is gone. */
  readonly wantedFiles: number | undefined;
  /** The most that were wanted since everything had settled last. */
  readonly mostFiles: number;
  readonly wasEverWanted: boolean;
  /** A container that was killed again and again waits before it starts. */
  readonly sends: boolean;
  readonly hasFolder: boolean;
  readonly files: number;
  /** Processes that write into its folder. */
  readonly tcpdumps: number;
  /** Its captures whose records stand, oldest first. */
  readonly captures: readonly SeenCapture[];
  /** What the records that are gone have told as missed, dropped or lost: of captures that ended soon. */
  readonly forgotten: number;
};

/** What one start of tcpdump has left. */
export type SeenCapture = {
  readonly generation: number;
  /** The datagrams in its files, in their order. */
  readonly numbers: readonly number[];
  /** Packets that its record tells of: missed before it; dropped or lost while it ran. */
  readonly missed: number;
  readonly dropped: number;
};

/** What was seen of one agent's process. */
export type SeenAgent = {
  readonly node: string;
  readonly pid: number;
  readonly captures: number;
  readonly memoryKib: number;
  readonly descriptors: number;
  /** Children that have ended and were not waited for. */
  readonly zombies: number;
};

export type Sight = { readonly pods: readonly SeenPod[]; readonly agents: readonly SeenAgent[] };

export type Violation = { readonly invariant: string; readonly of: string; readonly detail: string };

/** What holds at every moment, seen twice in a row: between two looks a file may come before the oldest goes. */
export function alwaysViolated(before: Sight, now: Sight): Violation[] {
  return now.pods.flatMap((pod) => {
    const earlier = before.pods.find(({ uid }) => uid === pod.uid);
    const found: Violation[] = [];
    if (!pod.wasEverWanted && pod.hasFolder) found.push(of(pod, 'what is not annotated leaves no file'));
    if (earlier?.lives && hasTooMany(earlier, earlier.mostFiles) && hasTooMany(pod, pod.mostFiles))
      found.push(of(pod, 'N files, and one more for a moment'));
    return found;
  });
}

/** What holds when nothing was done for a while. `first` is what was seen of the agents' processes at first. */
export function settledViolated(
  start: Sight,
  now: Sight,
  first: ReadonlyMap<number, SeenAgent>,
): Violation[] {
  return [
    ...now.pods.flatMap((pod) =>
      podViolated(
        start.pods.find(({ uid }) => uid === pod.uid),
        pod,
      ),
    ),
    ...now.agents.flatMap((agent) => agentViolated(first.get(agent.pid), agent)),
  ];
}

function podViolated(start: SeenPod | undefined, pod: SeenPod): Violation[] {
  const found: Violation[] = [];
  const isWanted = pod.lives && pod.wantedFiles !== undefined;
  if (pod.tcpdumps !== (isWanted ? 1 : 0)) found.push(of(pod, 'one tcpdump per capture, none without'));
  if (pod.lives && !isWanted && pod.hasFolder) found.push(of(pod, 'what is not annotated leaves no file'));
  if (!isWanted) return found;
  const [newest, before] = [newestOf(pod), start && newestOf(start)];
  if (pod.sends && (newest === undefined || newest === before))
    found.push(of(pod, 'what is annotated is captured'));
  if (hasTooMany(pod, pod.wantedFiles ?? 0)) found.push(of(pod, 'N files, and one more for a moment'));
  for (const gap of unexplained(pod))
    found.push({ ...of(pod, 'every datagram is in a file or in a counter'), detail: JSON.stringify(gap) });
  return found;
}

function agentViolated(first: SeenAgent | undefined, agent: SeenAgent): Violation[] {
  const found: Violation[] = [];
  const say = (invariant: string) =>
    found.push({
      invariant,
      of: `the agent of ${agent.node}`,
      detail: JSON.stringify({ first, now: agent }),
    });
  if (agent.zombies > 0) say('no zombies');
  // One pipe each, and a few while files are read.
  if (agent.descriptors > 60 + 10 * agent.captures) say('descriptors flat');
  if (first && agent.memoryKib > 2 * first.memoryKib + 20_000) say('memory flat');
  return found;
}

function hasTooMany({ files }: SeenPod, wanted: number): boolean {
  return files > wanted + 1;
}

function of(pod: SeenPod, invariant: string): Violation {
  const captures = pod.captures.map(({ numbers, ...rest }) => ({
    ...rest,
    first: numbers[0],
    last: numbers.at(-1),
  }));
  return { invariant, of: pod.name, detail: JSON.stringify({ ...pod, captures }) };
}

function newestOf({ captures }: SeenPod): number | undefined {
  return captures.findLast(({ numbers }) => numbers.length > 0)?.numbers.at(-1);
}

type Gap = { readonly generation: number; readonly missing: number; readonly counted: number };

/**
 * Gaps that the capture they belong to does not tell of: within it what it dropped or lost, before it what it missed,
 * or what the one before dropped or lost at its end.
 */
function unexplained({ captures, forgotten }: SeenPod): Gap[] {
  const found: Gap[] = [];
  let lastSeen: number | undefined;
  /** Told since the last capture that has a datagram. */
  let told = forgotten;
  for (const { generation, numbers, missed, dropped } of captures) {
    const within = missingOf(numbers);
    if (within > dropped) found.push({ generation, missing: within, counted: dropped });
    told += missed + dropped;
    const [first] = numbers;
    if (first === undefined) continue;
    // What two captures both have while one takes over is no gap.
    const before = lastSeen === undefined || first <= lastSeen ? 0 : missingOf([lastSeen, first]);
    if (before > told) found.push({ generation, missing: before, counted: told });
    lastSeen = numbers.at(-1);
    told = forgotten + dropped;
  }
  return found;
}

/** Each start of the sender numbers from a million of its own. */
export const numbersPerStart = 1_000_000;

/** How many datagrams are missing between the oldest and the newest: a later start's begin with its first. */
export function missingOf(numbers: readonly number[]): number {
  const starts = Map.groupBy(new Set(numbers), (number) => Math.floor(number / numbersPerStart));
  const oldest = Math.min(...starts.keys());
  let missing = 0;
  for (const [start, seen] of starts) {
    const from = start === oldest ? Math.min(...seen) : start * numbersPerStart;
    missing += Math.max(...seen) - from + 1 - seen.length;
  }
  return missing;
}
