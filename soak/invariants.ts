import { ringOf } from '../src/agent/storage/pod-rings.ts';
import { mostFilesAfterTrigger } from '../src/agent/storage/ring-size.ts';
import { frozenViolations } from './frozen-invariants.ts';
import type {
  Observation,
  ObservedAgent,
  ObservedPod,
  SettledFolder,
  SoakHistory,
} from './observed-cluster.ts';
import type { RingFiles } from './observed-folder.ts';

export type Violation = { readonly invariant: string; readonly of: string; readonly detail: string };

const invariants = {
  oneTcpdump: 'one tcpdump for each interface that is captured, none without',
  noFolder: 'a folder exists only for what an annotation asks for, or what a policy has asked for last',
  filesStay:
    'the files stay while anybody asks for them, and for the retention time of what a policy asked for',
  captured: 'what is asked for is captured, unless it is paused',
  ringSize: 'as many bytes as N files have, and the one that is being written',
  frozenSize: 'as many bytes as a frozen ring may have',
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
    if (pod.past.mostFilesEver === 0 && pod.folder) found.push(violationOf(pod, invariants.noFolder));
    if (earlier?.exists) {
      const areTooLarge = (check: (each: ObservedPod) => boolean) => check(earlier) && check(pod);
      if (areTooLarge(hasTooLargeRing)) found.push(violationOf(pod, invariants.ringSize));
      if (areTooLarge(hasTooLargeFrozenRing)) found.push(violationOf(pod, invariants.frozenSize));
    }
    return found;
  });
}

/** What must hold when nothing was done for a while, since `start`. */
export function settledViolations(start: Observation, now: Observation, history: SoakHistory): Violation[] {
  return [
    ...now.pods.flatMap((pod) => [
      ...podViolations(
        start.pods.find(({ uid }) => uid === pod.uid),
        pod,
      ),
      ...folderViolations(history.folders.get(pod.uid), pod),
      ...frozenViolations(pod, history).map((invariant) => violationOf(pod, invariant)),
      ...gapViolations(pod, history),
    ]),
    ...now.agents.flatMap((agent) => agentViolations(history.agents.get(agent.pid), agent)),
  ];
}

function podViolations(start: ObservedPod | undefined, pod: ObservedPod): Violation[] {
  const found: Violation[] = [];
  const { captured } = pod.expected;
  if (pod.tcpdumps !== captured.length) found.push(violationOf(pod, invariants.oneTcpdump));
  if (pod.sends && captured.some((name) => !hasNewDatagrams(name, start, pod)))
    found.push(violationOf(pod, invariants.captured));
  const isTooLarge = captured.length > 0 ? hasTooLargeSettledRing : hasTooLargeRing;
  if (isTooLarge(pod)) found.push(violationOf(pod, invariants.ringSize));
  if (hasTooLargeFrozenRing(pod)) found.push(violationOf(pod, invariants.frozenSize));
  return found;
}

function folderViolations(settled: SettledFolder | undefined, pod: ObservedPod): Violation[] {
  const { expected, past, folder, exists } = pod;
  const isAnothers = past.hadFolder && !past.isForgettable && settled?.id !== folder?.id;
  if (expected.folder === 'must' && (!folder || isAnothers)) return [violationOf(pod, invariants.filesStay)];
  if (!folder || !exists || expected.isAsked) return [];
  const isKept = expected.folder !== 'must not' && folder.policy !== undefined;
  return isKept ? [] : [violationOf(pod, invariants.noFolder)];
}

function gapViolations(pod: ObservedPod, { gaps }: Pick<SoakHistory, 'gaps'>): Violation[] {
  return (pod.folder?.interfaces ?? []).flatMap((captured) =>
    gaps.unexplained(captured).map((gap) => ({
      invariant: invariants.counted,
      of: pod.name,
      detail: `${JSON.stringify(gap)} of ${captured.name} in ${summaryOf(pod)}`,
    })),
  );
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

/** The files of each interface, whatever is asked for: the agent may not know yet that there is one ring less. */
function hasTooLargeRing({ folder, past }: ObservedPod): boolean {
  return Object.values(folder?.ring ?? {}).some((files) => files > past.mostFiles + 1);
}

/** Files of an interface that is not asked for any more are in the first ring (decision 36). */
function hasTooLargeSettledRing({ folder, expected }: ObservedPod): boolean {
  const rings: Record<string, number> = {};
  for (const [captured, files] of Object.entries(folder?.ring ?? {})) {
    const name = ringOf(captured, expected.captured);
    rings[name] = (rings[name] ?? 0) + files;
  }
  return Object.values(rings).some((files) => files > expected.files + 1);
}

/** What the ring had when it was triggered, and what it got after (decision 38). */
function hasTooLargeFrozenRing({ folder, past }: ObservedPod): boolean {
  const most = past.mostFilesEver + 1 + mostFilesAfterTrigger({ files: past.mostFilesEver });
  const isTooLarge = (files: RingFiles) => Object.values(files).some((each) => each > most);
  return (folder?.frozen ?? []).some(({ files }) => isTooLarge(files));
}

function violationOf(pod: ObservedPod, invariant: string): Violation {
  return { invariant, of: pod.name, detail: summaryOf(pod) };
}

/** As JSON, with the first and the last datagram of each capture in place of all. */
function summaryOf({ folder, past, ...pod }: ObservedPod): string {
  const interfaces = folder?.interfaces.map(({ captures, ...captured }) => ({
    ...captured,
    captures: captures.map(({ numbers, ...rest }) => ({ ...rest, first: numbers[0], last: numbers.at(-1) })),
  }));
  const readable = { ...past, askers: [...past.askers] };
  return JSON.stringify({ ...pod, past: readable, folder: folder && { ...folder, interfaces } });
}

function hasNewDatagrams(name: string, start: ObservedPod | undefined, pod: ObservedPod): boolean {
  const newest = newestDatagram(name, pod);
  return newest !== undefined && newest !== (start && newestDatagram(name, start));
}

function newestDatagram(name: string, { folder }: ObservedPod): number | undefined {
  const captured = folder?.interfaces.find((each) => each.name === name);
  return captured?.captures.findLast(({ numbers }) => numbers.length > 0)?.numbers.at(-1);
}
