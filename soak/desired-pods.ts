import type { Label, Operation, PodChange } from './operations.ts';

/** What is asked for, as the API server has it, and what an agent may still remember of what was. */
export type DesiredPods = {
  /** The Pods that exist, by name. */
  readonly pods: ReadonlyMap<string, DesiredPod>;
  readonly policy: DesiredPolicy | undefined;
  /** The disk was filled since everything was settled last: files that nobody asks for may have been evicted. */
  readonly wasDiskFilled: boolean;
};

export type DesiredPod = {
  readonly node: string;
  readonly label: Label;
  /** What its annotations say; without `files` they ask for nothing, and the others have no effect. */
  readonly files: number | undefined;
  readonly isPaused: boolean;
  readonly interfaces: readonly string[];
  /** The text of podcap.dev/freeze, if it must freeze the ring once that is captured. */
  readonly dueText: DueText | undefined;
  readonly past: PastRequests;
};

/** `mayLackSpace`: the disk was filled; without space nothing is frozen, and the text counts as seen. */
export type DueText = { readonly text: string; readonly mayLackSpace: boolean };

/** What has been asked for a Pod since everything was settled last: its agent may have seen each of it, or not. */
export type PastRequests = {
  /** It had a folder when everything was settled last. */
  readonly hadFolder: boolean;
  /** Who may have asked last, as far as its agent knows. */
  readonly askers: ReadonlySet<Asker>;
  /**
   * At some time nobody asked, and an annotation may have been the last to do so: then its folder is deleted. Or the disk
   * was full: then it may be evicted.
   */
  readonly isForgettable: boolean;
  /** The most files that were asked for since then, and ever. */
  readonly mostFiles: number;
  readonly mostFilesEver: number;
};

export type Asker = 'annotation' | 'policy';

export type DesiredPolicy = { readonly files: number; readonly isPaused: boolean; readonly label: Label };

/** What must be found of a Pod once everything is settled. */
export type Expectation = {
  /** Somebody asks for its capture, perhaps a paused one. */
  readonly isAsked: boolean;
  /** The interfaces that are captured, each by one tcpdump into a ring of its own. */
  readonly captured: readonly string[];
  /** Whether there is a folder. */
  readonly folder: 'must' | 'may' | 'must not';
  /** How many files each ring has at most. */
  readonly files: number;
};

export const nothingDesired: DesiredPods = { pods: new Map(), policy: undefined, wasDiskFilled: false };

/** The Pods, their annotations and the policy after an operation. Pure. */
export function desiredAfter(before: DesiredPods, operation: Operation): DesiredPods {
  switch (operation.kind) {
    case 'create':
      return withPod(before, operation.pod, created(operation));
    case 'delete':
      return { ...before, pods: new Map([...before.pods].filter(([name]) => name !== operation.pod)) };
    case 'annotate':
      return changed(before, operation.pod, { files: operation.files });
    case 'unannotate':
      return changed(before, operation.pod, { files: undefined });
    case 'flap':
      return changed(changed(before, operation.pod, { files: undefined }), operation.pod, {
        files: operation.files,
      });
    case 'label':
      return changed(before, operation.pod, { label: operation.label });
    case 'freeze':
      return freezeAsked(before, operation);
    case 'pause':
      return changed(before, operation.pod, { isPaused: true });
    case 'resume':
      return changed(before, operation.pod, { isPaused: false });
    case 'interfaces':
      return changed(before, operation.pod, { interfaces: operation.withLo ? ['eth0', 'lo'] : ['eth0'] });
    case 'applyPolicy': {
      const { files, isPaused, label } = operation;
      return remembered({ ...before, policy: { files, isPaused, label } });
    }
    case 'deletePolicy':
      return remembered({ ...before, policy: undefined });
    case 'fillDisk':
      return remembered({ ...before, pods: withoutSpace(before.pods), wasDiskFilled: true });
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
    case 'restartApiServer':
      return before;
  }
}

/** What is asked for a Pod: its own annotation replaces the policy as a whole. Undefined if nothing is. Pure. */
export function requestFor(pod: DesiredPod, policy: DesiredPolicy | undefined) {
  const { files, isPaused, interfaces, label } = pod;
  if (files !== undefined) return { by: 'annotation', files, isPaused, interfaces } as const;
  if (policy?.label !== label) return undefined;
  return { by: 'policy', files: policy.files, isPaused: policy.isPaused, interfaces: ['eth0'] } as const;
}

/** What must be found of an existing Pod. Pure. */
export function expectationOf(pod: DesiredPod, { policy }: Pick<DesiredPods, 'policy'>): Expectation {
  const request = requestFor(pod, policy);
  const { past } = pod;
  if (request && !request.isPaused)
    return { isAsked: true, captured: request.interfaces, folder: 'must', files: request.files };
  const stays = past.hadFolder && !past.isForgettable;
  const mayExist = request !== undefined || past.askers.has('policy');
  return {
    isAsked: request !== undefined,
    captured: [],
    folder: stays ? 'must' : mayExist ? 'may' : 'must not',
    // Nothing is pruned while nothing is captured.
    files: past.mostFiles,
  };
}

/** What must be found of a Pod that was deleted: its files stay for the retention time, which is longer than a soak. */
export function expectationAfterEnd(
  { past }: DesiredPod,
  { wasDiskFilled }: Pick<DesiredPods, 'wasDiskFilled'>,
): Expectation {
  const stays = past.hadFolder && !past.isForgettable && !wasDiskFilled;
  return { isAsked: false, captured: [], folder: stays ? 'must' : 'may', files: past.mostFiles };
}

/** Once everything is settled, the agents have seen what is asked for; `folders`: the Pods that have one. Pure. */
export function desiredWhenSettled({ pods, policy }: DesiredPods, folders: ReadonlySet<string>): DesiredPods {
  const settled = [...pods].map(([name, pod]): [string, DesiredPod] => {
    const request = requestFor(pod, policy);
    const hadFolder = folders.has(name);
    const isCaptured = request !== undefined && !request.isPaused;
    // What nobody asks for any more is kept only if a policy asked last.
    const askers = new Set<Asker>(request ? [request.by] : hadFolder ? ['policy'] : []);
    const mostFiles = isCaptured ? request.files : pod.past.mostFiles;
    const past = { ...pod.past, hadFolder, askers, isForgettable: false, mostFiles };
    return [name, { ...pod, dueText: isCaptured ? undefined : pod.dueText, past }];
  });
  return { pods: new Map(settled), policy, wasDiskFilled: false };
}

function created({ node, label, files }: PodChange & { readonly kind: 'create' }): DesiredPod {
  return {
    node,
    label,
    files,
    isPaused: false,
    interfaces: ['eth0'],
    dueText: undefined,
    past: { hadFolder: false, askers: new Set(), isForgettable: false, mostFiles: 0, mostFilesEver: 0 },
  };
}

/**
 * A text freezes unless it is there when the capture begins: an agent that finds a folder has captured the Pod before. It
 * waits while nothing is captured.
 */
function freezeAsked(
  before: DesiredPods,
  { pod: name, text }: PodChange & { readonly kind: 'freeze' },
): DesiredPods {
  const past = before.pods.get(name)?.past;
  const isDue = past?.hadFolder === true && !past.isForgettable;
  return changed(before, name, { dueText: isDue ? { text, mayLackSpace: before.wasDiskFilled } : undefined });
}

function withoutSpace(pods: DesiredPods['pods']): DesiredPods['pods'] {
  return new Map(
    [...pods].map(([name, { dueText, ...pod }]) => [
      name,
      { ...pod, dueText: dueText && { ...dueText, mayLackSpace: true } },
    ]),
  );
}

function changed(before: DesiredPods, name: string, change: Partial<DesiredPod>): DesiredPods {
  const pod = before.pods.get(name);
  return pod ? withPod(before, name, { ...pod, ...change }) : before;
}

function withPod(before: DesiredPods, name: string, pod: DesiredPod): DesiredPods {
  return remembered({ ...before, pods: new Map(before.pods).set(name, pod) });
}

/** Adds what is asked for now to what was. */
function remembered(desired: DesiredPods): DesiredPods {
  const pods = [...desired.pods].map(([name, pod]): [string, DesiredPod] => {
    const { past } = pod;
    const request = requestFor(pod, desired.policy);
    if (!request) {
      const isForgettable = past.isForgettable || past.askers.has('annotation') || desired.wasDiskFilled;
      return [
        name,
        { ...pod, dueText: isForgettable ? undefined : pod.dueText, past: { ...past, isForgettable } },
      ];
    }
    const next = {
      ...past,
      askers: new Set([...past.askers, request.by]),
      mostFiles: Math.max(past.mostFiles, request.files),
      mostFilesEver: Math.max(past.mostFilesEver, request.files),
    };
    return [name, { ...pod, past: next }];
  });
  return { ...desired, pods: new Map(pods) };
}
