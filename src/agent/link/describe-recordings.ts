import type { CapturePhase, RecordingCounters } from '../../api/capture.ts';
import type { Pod } from '../../kubernetes/pod.ts';
import type { ReportedRecording } from '../../link/protocol.ts';
import type { CaptureState, PodState } from '../observability/capture-states.ts';
import { causeText } from '../observability/frozen-ring-text.ts';
import type { CaptureSpec } from '../planner/annotations.ts';
import type { Plan } from '../planner/decisions.ts';
import type { FolderState, PodName } from '../storage/capture-folders.ts';
import type { FreezeState } from '../storage/freezes.ts';
import type { RecordingNote } from '../storage/recording-note.ts';
import { boundedLabels, boundedText } from './report-text.ts';
import { requestedCapture } from './requested-capture.ts';

/** What this agent knows at one moment, by UID where it is of one Pod. */
export type RecordingSources = {
  readonly states: ReadonlyMap<string, PodState>;
  readonly plan: Plan | undefined;
  readonly folders: ReadonlyMap<string, FolderState>;
  readonly notes: ReadonlyMap<string, RecordingNote>;
  readonly counters: ReadonlyMap<string, RecordingCounters>;
  /**
   * UIDs that have had no state for so long that this is worth saying. A capture has none while it starts or is deleted:
   * until then it is reported as before, and not at all if it was not.
   */
  readonly undecided: ReadonlySet<string>;
  /** RFC 3339. */
  readonly now: string;
};

export type DescribedRecording = {
  readonly reported: ReportedRecording;
  /** What an agent has to know of it later. */
  readonly note: RecordingNote;
};

/** Every recording of this Node, as hubs are told, by UID: of each Pod with a folder or a state. Pure. */
export function describeRecordings(sources: RecordingSources): ReadonlyMap<string, DescribedRecording> {
  const uids = new Set([...sources.folders.keys(), ...sources.states.keys()]);
  return new Map(
    [...uids].flatMap((uid) => {
      const described = describeRecording(uid, sources);
      return described ? [[uid, described] as const] : [];
    }),
  );
}

/** Undefined if it is not known what to say. */
function describeRecording(uid: string, sources: RecordingSources): DescribedRecording | undefined {
  const { states, plan, folders, notes, counters, undecided } = sources;
  const [state, folder, before] = [states.get(uid), folders.get(uid), notes.get(uid)];
  const pod = state?.pod ?? folder?.pod;
  const spoken = phaseOf(state, folder, undecided.has(uid) ? undefined : before?.phase?.phase);
  if (!pod || (spoken === notDecided && !undecided.has(uid))) return undefined;
  const note = noteAfter(
    before,
    spoken.phase,
    { pod: podIn(plan, uid), spec: plan?.requests.get(uid) },
    sources.now,
  );
  const policy = plan?.requesters.get(uid)?.policy ?? folder?.policy;
  const frozen = folder ? frozenRings(folder.freezes) : [];
  const { files = 0, bytes = 0 } = folder ?? {};
  return {
    note,
    reported: {
      namespace: pod.namespace,
      name: pod.name,
      uid,
      ...(note.labels && { labels: note.labels }),
      status: {
        ...spoken,
        phaseSince: note.phase?.since ?? sources.now,
        startTime: note.startTime ?? sources.now,
        ...(note.podCreationTime !== undefined && { podCreationTime: note.podCreationTime }),
        interfaces: note.interfaces,
        ...(note.requested && { requested: note.requested }),
        requestedBy: policy === undefined ? { kind: 'Annotation' } : { kind: 'CapturePolicy', name: policy },
        ...(frozen.length > 0 && { frozen }),
        ...(files === 0 && nothingCounted),
        ...counters.get(uid),
        files,
        bytes,
      },
    },
  };
}

/** Of what has no files yet. */
export const nothingCounted: Pick<RecordingCounters, 'packets' | 'dropped'> = { packets: 0, dropped: 0 };

type Spoken = { readonly phase: CapturePhase; readonly reason?: string; readonly message?: string };

const notDecided: Spoken = {
  phase: 'Unknown',
  reason: 'NotDecided',
  message: 'the agent has not decided about it yet',
};

/** As `podcap list` says it. `before` is said of what has no state for a moment. */
function phaseOf(
  state: PodState | undefined,
  folder: FolderState | undefined,
  before: CapturePhase | undefined,
): Spoken {
  if (state) {
    const { reason, message } = state;
    return {
      phase: phases[state.state],
      ...(reason !== undefined && { reason: boundedText(reason, 128) }),
      ...(message !== undefined && { message: boundedText(message, 4_096) }),
    };
  }
  if (folder?.endedMs !== undefined) return { phase: 'Ended', reason: 'PodEnded' };
  return before === undefined ? notDecided : { phase: before };
}

const phases: Readonly<Record<CaptureState, CapturePhase>> = {
  capturing: 'Capturing',
  waiting: 'Waiting',
  failed: 'Failed',
  refused: 'Refused',
  paused: 'Paused',
  ended: 'Ended',
};

/** What is asked for or known of the Pod now counts; of what is not known now, what was known before. */
function noteAfter(
  before: RecordingNote | undefined,
  phase: CapturePhase,
  known: { readonly pod: PlannedPod; readonly spec: CaptureSpec | undefined },
  now: string,
): RecordingNote {
  const labels = known.pod?.labels ?? before?.labels;
  const podCreationTime = known.pod?.creationTimestamp ?? before?.podCreationTime;
  const requested = known.spec ? requestedCapture(known.spec) : before?.requested;
  return {
    ...(labels && { labels: boundedLabels(labels) }),
    interfaces: known.spec ? [...known.spec.interfaces] : (before?.interfaces ?? []),
    ...(requested && { requested }),
    phase: before?.phase?.phase === phase ? before.phase : { phase, since: now },
    startTime: before?.startTime ?? now,
    ...(podCreationTime !== undefined && { podCreationTime }),
  };
}

/** Of a Pod that the API server does not list any more, only the name is known. */
type PlannedPod = (PodName & Partial<Pick<Pod, 'labels' | 'creationTimestamp'>>) | undefined;

function podIn(plan: Plan | undefined, uid: string): PlannedPod {
  return plan?.decisions.get(uid)?.pod;
}

const mostCauses = 32;
const mostFrozenRings = 128;

/** Those that have been set aside. */
function frozenRings({ rings }: FreezeState): NonNullable<ReportedRecording['status']['frozen']> {
  return rings
    .filter(({ record }) => record.frozen !== undefined)
    .slice(-mostFrozenRings)
    .map(({ record: { number, time, causes }, files, bytes }) => ({
      number,
      time,
      causes: causes.slice(0, mostCauses).map((cause) => boundedText(causeText(cause), 512)),
      files,
      bytes,
    }));
}
