import type { Capture } from '../../api/capture.ts';
import type { ObjectChange } from '../captures/captures.ts';

/** A watch event, before it is written. */
export type CaptureEvent = {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
  readonly capture: Capture;
};

export type WatchSelectionOptions = {
  /** By the labels; the scope of the watch has selected the rest. */
  readonly isSelected: (capture: Capture) => boolean;
  /** Only then can a capture leave the selection, or a namespace hide it. */
  readonly mayLeave: boolean;
  /** It goes on from a resourceVersion: the client has captures that this watch did not send. */
  readonly isResumed: boolean;
  /** Whether the client may have a capture from before that may no longer be served. */
  readonly mayHave: (capture: Capture) => boolean;
  /** Whether the client is told of a capture that is not selected, which it may have from an earlier watch. */
  readonly forgetsUnknown: boolean;
};

/** What a watch sends for a change. `visible`: what of the capture may be served; undefined if nothing. */
export type WatchSelection = (change: ObjectChange, visible: Capture | undefined) => CaptureEvent | undefined;

/**
 * Chooses the events of one watch, so that what its client has is what is selected: a capture whose labels begin to match
 * is ADDED, one that no longer matches or may no longer be served is DELETED.
 */
export function watchSelection(options: WatchSelectionOptions): WatchSelection {
  const { isSelected, mayLeave, isResumed, mayHave, forgetsUnknown } = options;
  /** UIDs of the captures that this client has, and of those of which it was told that they are gone. */
  const sent = new Set<string>();
  const forgotten = new Set<string>();

  function present(change: ObjectChange, capture: Capture): CaptureEvent {
    const { uid } = capture.metadata;
    const isModified = mayLeave && !isResumed ? sent.has(uid) : sent.has(uid) || change.kind === 'modified';
    if (mayLeave) sent.add(uid);
    forgotten.delete(uid);
    return { type: isModified ? 'MODIFIED' : 'ADDED', capture };
  }

  function absent(change: ObjectChange, visible: Capture | undefined): CaptureEvent | undefined {
    const { uid } = change.capture.metadata;
    const isHidden = visible === undefined;
    const capture = visible ?? bare(change.capture);
    if (sent.delete(uid)) return { type: 'DELETED', capture };
    if (!mayLeave) return change.kind === 'deleted' ? { type: 'DELETED', capture } : undefined;
    if (!isResumed || (isHidden && !mayHave(change.capture))) return undefined;
    const isDeleted = change.kind === 'deleted';
    if (isDeleted && !isHidden && isSelected(capture)) return { type: 'DELETED', capture };
    // Of a deleted capture, the labels that it had when the client was told of it may not be known.
    const isForgotten = isDeleted ? forgotten.delete(uid) : forgotten.has(uid);
    if (!forgetsUnknown || isForgotten) return undefined;
    if (!isDeleted) forgotten.add(uid);
    return { type: 'DELETED', capture: isDeleted ? bare(capture) : capture };
  }

  return (change, visible) =>
    change.kind !== 'deleted' && visible !== undefined && isSelected(visible)
      ? present(change, visible)
      : absent(change, visible);
}

/** Without anything of what may no longer be served. */
function bare({ apiVersion, kind, metadata }: Capture): Capture {
  const { name, namespace, uid, resourceVersion, creationTimestamp } = metadata;
  return {
    apiVersion,
    kind,
    metadata: { name, namespace, uid, resourceVersion, creationTimestamp },
    status: { recordings: [] },
  };
}
