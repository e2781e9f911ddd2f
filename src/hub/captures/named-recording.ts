import type { CaptureRecording } from '../../api/capture.ts';

/** What a client names of a capture. Undefined: any. */
export type RecordingSelector = { readonly uid: string | undefined; readonly node: string | undefined };

export type NamedRecording =
  | { readonly kind: 'recording'; readonly recording: CaptureRecording }
  /** The capture has no such recording. */
  | { readonly kind: 'absent' }
  /** Sorted. At least one of these Nodes says what cannot be. */
  | { readonly kind: 'contested'; readonly nodes: readonly string[] };

/** The reason of a recording whose UID several Nodes claim: of a UID there is one Pod, on one Node. */
export const conflictReason = 'Conflict';

/**
 * The newest of the recordings that a client names. A compromised agent can report a recording of any Pod, and the hub does
 * not know where Pods run: so what other Nodes contradict is contested, and only a client who names the Node gets it. A
 * Node contradicts by claiming the same Pod, or by a Pod of that name that is still there: it must be the newest. Pure.
 */
export function namedRecording(
  recordings: readonly CaptureRecording[],
  selector: RecordingSelector,
): NamedRecording {
  const [newest, ...others] = selectedRecordings(recordings, selector);
  if (!newest) return { kind: 'absent' };
  const rivals = others.filter((each) => each.node !== newest.node && contradicts(each, newest));
  if (rivals.length === 0) return { kind: 'recording', recording: newest };
  return { kind: 'contested', nodes: nodesOf([newest, ...rivals]) };
}

/** Those that a client names, in the order in which they are. Pure. */
export function selectedRecordings(
  recordings: readonly CaptureRecording[],
  { uid, node }: RecordingSelector,
): readonly CaptureRecording[] {
  return recordings.filter(
    (each) => (uid === undefined || each.uid === uid) && (node === undefined || each.node === node),
  );
}

/** The Nodes that claim a UID which another Node claims too, sorted. Pure. */
export function conflictingNodes(recordings: readonly CaptureRecording[]): readonly string[] {
  const byUid = Map.groupBy(recordings, ({ uid }) => uid);
  return nodesOf([...byUid.values()].filter((of) => nodesOf(of).length > 1).flat());
}

/** Several Nodes claim its UID, so the hub does not say which state it has. */
export function isInConflict({ phase, reason }: CaptureRecording): boolean {
  return phase === 'Unknown' && reason === conflictReason;
}

function contradicts(other: CaptureRecording, newest: CaptureRecording): boolean {
  return other.uid === newest.uid || isInConflict(other) || !['Ended', 'Unknown'].includes(other.phase);
}

function nodesOf(recordings: readonly CaptureRecording[]): readonly string[] {
  return [...new Set(recordings.map(({ node }) => node))].toSorted();
}
