import { apiVersion, type Capture, type CaptureRecording } from '../../api/capture.ts';
import { objectTime } from '../../kubernetes/object-time.ts';
import { listedNodes } from '../agents/node-names.ts';
import type { RecordingKey } from './captures.ts';
import { conflictReason } from './named-recording.ts';
import type { RecordingClaim } from './recording-claim.ts';

/** A capture as clients see it, from what agents say of its recordings: at least one. */
export function assembleCapture(
  claims: readonly RecordingClaim[],
  { uid, resourceVersion }: { readonly uid: string; readonly resourceVersion: string },
): Capture {
  const shown = shownClaims(claims);
  const [newest] = shown;
  if (!newest) throw new Error('a capture without recordings');
  const { namespace, name, labels } = newest;
  const conflicts = nodesInConflict(shown);
  const oldestMs = Math.min(...shown.map(({ startMs }) => startMs));
  return {
    apiVersion,
    kind: 'Capture',
    metadata: {
      name,
      namespace,
      uid,
      resourceVersion,
      creationTimestamp: objectTime(oldestMs),
      ...(labels && { labels }),
    },
    status: { recordings: shown.map((claim) => shownRecording(claim, conflicts.get(claim.recording.uid))) },
  };
}

/** The claims of a recording by agents of its Node that serve it, the best first. */
export function servingClaims(
  claims: readonly RecordingClaim[],
  { uid, node }: RecordingKey,
): readonly RecordingClaim[] {
  return claims
    .filter(({ recording, agent }) => recording.uid === uid && agent.node === node)
    .filter(({ agent, isStale }) => agent.link && !isStale)
    .toSorted((a, b) => withFiles(b) - withFiles(a) || connectedMs(b) - connectedMs(a));
}

function withFiles({ recording }: RecordingClaim): number {
  return Number(recording.files > 0);
}

/** One for each UID and Node, of the agent that knows best; the newest recording first. */
function shownClaims(claims: readonly RecordingClaim[]): readonly RecordingClaim[] {
  if (claims.length === 1) return claims;
  const best = new Map<string, RecordingClaim>();
  for (const claim of claims) {
    const key = `${claim.recording.uid} ${claim.agent.node}`;
    const other = best.get(key);
    if (!other || knowsBetter(claim, other)) best.set(key, claim);
  }
  return [...best.values()].toSorted(
    (a, b) =>
      b.startMs - a.startMs ||
      compareText(a.recording.uid, b.recording.uid) ||
      compareText(a.agent.node, b.agent.node),
  );
}

/** While agents are rolled, two of one Node are connected: the newer has taken over. */
function knowsBetter(claim: RecordingClaim, other: RecordingClaim): boolean {
  if (claim.isStale !== other.isStale) return other.isStale;
  return connectedMs(claim) > connectedMs(other);
}

function connectedMs({ agent }: RecordingClaim): number {
  return agent.link?.connectedMs ?? Number.NEGATIVE_INFINITY;
}

/** The Nodes that claim the same UID, by UID: of a UID there is one Pod, on one Node. */
function nodesInConflict(shown: readonly RecordingClaim[]): ReadonlyMap<string, readonly string[]> {
  if (shown.length === 1) return new Map();
  const nodes = new Map<string, readonly string[]>();
  for (const { recording } of shown) {
    nodes.set(recording.uid, [...(nodes.get(recording.uid) ?? []), recording.node]);
  }
  return new Map([...nodes].filter(([, of]) => of.length > 1));
}

function shownRecording(claim: RecordingClaim, conflict: readonly string[] | undefined): CaptureRecording {
  const { recording, agent, isStale } = claim;
  if (conflict) {
    const nodes = listedNodes(conflict.toSorted());
    const message = `several Nodes claim this Pod UID: ${nodes}; captures/log needs the parameter node with one of them`;
    return { ...recording, phase: 'Unknown', reason: conflictReason, message };
  }
  if (!isStale) return recording;
  const lost = new Date(agent.lostMs).toISOString();
  const message = `the agent of Node ${agent.node} has not been connected since ${lost}`;
  return { ...recording, phase: 'Unknown', reason: 'AgentLost', message, phaseSince: lost };
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}
