import type { GapHistory, ObservedFolder } from './gaps.ts';

/** What was observed of one Pod: of its object, its folder and its processes. */
export type ObservedPod = {
  readonly name: string;
  readonly uid: string;
  /** False for a Pod that was deleted. */
  readonly exists: boolean;
  /** How many files its annotation asks for; undefined if it is not annotated, or deleted. */
  readonly desiredFiles: number | undefined;
  /** The most files that its annotation has asked for since everything was settled last. */
  readonly maxDesiredFiles: number;
  readonly wasEverAnnotated: boolean;
  /** False while the kubelet delays the restart of a container that was killed repeatedly. */
  readonly sends: boolean;
  /** Its folder and how many of the largest files of 1 MB its capture files make; undefined if there is none. */
  readonly folder: (ObservedFolder & { readonly files: number }) | undefined;
  /** How many processes write into its folder. */
  readonly tcpdumps: number;
};

/** What was observed of the process of one agent. */
export type ObservedAgent = {
  readonly node: string;
  readonly pid: number;
  readonly captures: number;
  readonly memoryKib: number;
  readonly descriptors: number;
  /** Children that have ended and were not waited for. */
  readonly zombies: number;
};

/** Everything that the invariants are about, at one time. */
export type Observation = {
  readonly pods: readonly ObservedPod[];
  readonly agents: readonly ObservedAgent[];
};

export type Violation = { readonly invariant: string; readonly of: string; readonly detail: string };

const invariants = {
  oneTcpdump: 'one tcpdump per capture, none without',
  noFolder: 'a Pod that is not annotated has no folder',
  captured: 'an annotated Pod is captured',
  ringSize: 'as many bytes as N files have, and the one that is being written',
  counted: 'every datagram is in a file or in a counter',
} as const;

/**
 * What must hold all the time. A ring that is too large must be observed twice, because two overlap while a capture is
 * replaced.
 */
export function continuousViolations(before: Observation, now: Observation): Violation[] {
  return now.pods.flatMap((pod) => {
    const earlier = before.pods.find(({ uid }) => uid === pod.uid);
    const found: Violation[] = [];
    if (!pod.wasEverAnnotated && pod.folder) found.push(violationOf(pod, invariants.noFolder));
    if (
      earlier?.exists &&
      isTooLarge(earlier, earlier.maxDesiredFiles) &&
      isTooLarge(pod, pod.maxDesiredFiles)
    )
      found.push(violationOf(pod, invariants.ringSize));
    return found;
  });
}

/** What was observed since the soak started. */
export type SoakHistory = {
  /** The agents' processes as they were first observed, by pid. */
  readonly agents: ReadonlyMap<number, ObservedAgent>;
  readonly gaps: Pick<GapHistory, 'unexplained'>;
};

/** What must hold when nothing was done for a while, since `start`. */
export function settledViolations(
  start: Observation,
  now: Observation,
  { agents, gaps }: SoakHistory,
): Violation[] {
  return [
    ...now.pods.flatMap((pod) =>
      podViolations(
        start.pods.find(({ uid }) => uid === pod.uid),
        pod,
      ),
    ),
    ...now.pods.flatMap((pod) =>
      (pod.folder ? gaps.unexplained(pod.folder) : []).map((gap) => ({
        invariant: invariants.counted,
        of: pod.name,
        detail: `${JSON.stringify(gap)} in ${summaryOf(pod)}`,
      })),
    ),
    ...now.agents.flatMap((agent) => agentViolations(agents.get(agent.pid), agent)),
  ];
}

function podViolations(start: ObservedPod | undefined, pod: ObservedPod): Violation[] {
  const found: Violation[] = [];
  const isDesired = pod.exists && pod.desiredFiles !== undefined;
  if (pod.tcpdumps !== (isDesired ? 1 : 0)) found.push(violationOf(pod, invariants.oneTcpdump));
  if (pod.exists && !isDesired && pod.folder) found.push(violationOf(pod, invariants.noFolder));
  if (!isDesired) return found;
  const [newest, before] = [newestDatagram(pod), start && newestDatagram(start)];
  if (pod.sends && (newest === undefined || newest === before))
    found.push(violationOf(pod, invariants.captured));
  if (isTooLarge(pod, pod.desiredFiles ?? 0)) found.push(violationOf(pod, invariants.ringSize));
  return found;
}

function agentViolations(first: ObservedAgent | undefined, agent: ObservedAgent): Violation[] {
  const violated: string[] = [];
  if (agent.zombies > 0) violated.push('no zombies');
  // One pipe for each capture, and a few while files are read.
  if (agent.descriptors > 60 + 10 * agent.captures) violated.push('descriptors flat');
  if (first && agent.memoryKib > 2 * first.memoryKib + 20_000) violated.push('memory flat');
  const detail = JSON.stringify({ first, now: agent });
  return violated.map((invariant) => ({ invariant, of: `the agent of ${agent.node}`, detail }));
}

function isTooLarge({ folder }: ObservedPod, desired: number): boolean {
  return (folder?.files ?? 0) > desired + 1;
}

function violationOf(pod: ObservedPod, invariant: string): Violation {
  return { invariant, of: pod.name, detail: summaryOf(pod) };
}

/** As JSON, with the first and the last datagram of each capture in place of all. */
function summaryOf(pod: ObservedPod): string {
  const captures = pod.folder?.captures.map(({ numbers, ...rest }) => ({
    ...rest,
    first: numbers[0],
    last: numbers.at(-1),
  }));
  return JSON.stringify({ ...pod, folder: pod.folder && { ...pod.folder, captures } });
}

function newestDatagram({ folder }: ObservedPod): number | undefined {
  return folder?.captures.findLast(({ numbers }) => numbers.length > 0)?.numbers.at(-1);
}
