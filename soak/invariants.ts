import type { Gaps, SeenFolder } from './gaps.ts';

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
  /** With how many capture files; undefined when there is none. */
  readonly folder: (SeenFolder & { readonly files: number }) | undefined;
  /** Processes that write into its folder. */
  readonly tcpdumps: number;
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
    if (!pod.wasEverWanted && pod.folder) found.push(of(pod, 'what is not annotated leaves no file'));
    if (earlier?.lives && hasTooMany(earlier, earlier.mostFiles) && hasTooMany(pod, pod.mostFiles))
      found.push(of(pod, 'N files, and one more for a moment'));
    return found;
  });
}

/** What was seen since the beginning. */
export type Memory = {
  /** The agents' processes as they were at first, by pid. */
  readonly agents: ReadonlyMap<number, SeenAgent>;
  readonly gaps: Pick<Gaps, 'unexplained'>;
};

/** What holds when nothing was done for a while, since `start`. */
export function settledViolated(start: Sight, now: Sight, { agents, gaps }: Memory): Violation[] {
  return [
    ...now.pods.flatMap((pod) =>
      podViolated(
        start.pods.find(({ uid }) => uid === pod.uid),
        pod,
      ),
    ),
    ...now.pods.flatMap((pod) =>
      (pod.folder ? gaps.unexplained(pod.folder) : []).map((gap) => ({
        invariant: 'every datagram is in a file or in a counter',
        of: pod.name,
        detail: `${JSON.stringify(gap)} in ${inWords(pod)}`,
      })),
    ),
    ...now.agents.flatMap((agent) => agentViolated(agents.get(agent.pid), agent)),
  ];
}

function podViolated(start: SeenPod | undefined, pod: SeenPod): Violation[] {
  const found: Violation[] = [];
  const isWanted = pod.lives && pod.wantedFiles !== undefined;
  if (pod.tcpdumps !== (isWanted ? 1 : 0)) found.push(of(pod, 'one tcpdump per capture, none without'));
  if (pod.lives && !isWanted && pod.folder) found.push(of(pod, 'what is not annotated leaves no file'));
  if (!isWanted) return found;
  const [newest, before] = [newestOf(pod), start && newestOf(start)];
  if (pod.sends && (newest === undefined || newest === before))
    found.push(of(pod, 'what is annotated is captured'));
  if (hasTooMany(pod, pod.wantedFiles ?? 0)) found.push(of(pod, 'N files, and one more for a moment'));
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

function hasTooMany({ folder }: SeenPod, wanted: number): boolean {
  return (folder?.files ?? 0) > wanted + 1;
}

function of(pod: SeenPod, invariant: string): Violation {
  return { invariant, of: pod.name, detail: inWords(pod) };
}

function inWords(pod: SeenPod): string {
  const captures = pod.folder?.captures.map(({ numbers, ...rest }) => ({
    ...rest,
    first: numbers[0],
    last: numbers.at(-1),
  }));
  return JSON.stringify({ ...pod, folder: pod.folder && { ...pod.folder, captures } });
}

function newestOf({ folder }: SeenPod): number | undefined {
  return folder?.captures.findLast(({ numbers }) => numbers.length > 0)?.numbers.at(-1);
}
