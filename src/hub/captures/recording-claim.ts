import type { CaptureRecording, RecordingCounters } from '../../api/capture.ts';
import type { ReportedRecording } from '../../link/protocol.ts';
import type { AgentLink } from '../agents/agent-link.ts';

/** An agent that is connected, or was within the last minutes. One Pod of the DaemonSet. */
export type ReportingAgent = {
  readonly node: string;
  readonly podUid: string;
  /** Undefined while it is not connected. */
  link: AgentLink | undefined;
  /** When its last link ended, in milliseconds of Unix time. */
  lostMs: number;
  /** It has reported all recordings on its present link. */
  isSynced: boolean;
  /** How many it says it leaves out, and how many were too many. */
  leftOut: number;
  /** How many objects were deleted by its word alone. */
  deletions: number;
  /** Of all claims together. */
  reportBytes: number;
  /** By UID. */
  readonly claims: Map<string, RecordingClaim>;
};

/** What one agent says of one recording. */
export type RecordingClaim = {
  readonly agent: ReportingAgent;
  readonly namespace: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>> | undefined;
  readonly recording: CaptureRecording;
  /** Of the recording's start, in milliseconds of Unix time. */
  readonly startMs: number;
  readonly reportBytes: number;
  /** Its agent was lost, and has not said it again since. */
  readonly isStale: boolean;
  /** The link on which it was said last. */
  link: AgentLink | undefined;
};

/** The claim of a report. */
export function claimOf(
  agent: ReportingAgent,
  { namespace, name, uid, labels, status }: ReportedRecording,
  reportBytes: number,
): RecordingClaim {
  return {
    agent,
    namespace,
    name,
    labels,
    recording: { uid, node: agent.node, ...status },
    startMs: Date.parse(status.startTime),
    reportBytes,
    isStale: false,
    link: agent.link,
  };
}

const counterKeys = [
  'files',
  'bytes',
  'packets',
  'dropped',
  'lostAtStop',
  'missed',
  'unseen',
  'isUnseenPartial',
  'firstPacketTime',
  'lastPacketTime',
] as const satisfies readonly (keyof RecordingCounters)[];

/** The claim with other counters; the same claim if they are the same. */
export function withCounters(claim: RecordingClaim, counters: RecordingCounters): RecordingClaim {
  const before: RecordingCounters = claim.recording;
  if (counterKeys.every((key) => before[key] === counters[key])) return claim;
  const isAllCounted = counterKeys.every((key) => before[key] === undefined || counters[key] !== undefined);
  // As usual, and faster than to leave out what is no longer counted.
  if (isAllCounted) return { ...claim, recording: { ...claim.recording, ...counters } };
  const {
    packets: _packets,
    dropped: _dropped,
    lostAtStop: _lostAtStop,
    missed: _missed,
    unseen: _unseen,
    isUnseenPartial: _isUnseenPartial,
    firstPacketTime: _firstPacketTime,
    lastPacketTime: _lastPacketTime,
    ...kept
  } = claim.recording;
  return { ...claim, recording: { ...kept, ...counters } };
}
