import type { Capture, CaptureRecording } from '../../api/capture.ts';
import { listedNodes } from '../agents/node-names.ts';
import { conflictingNodes, isInConflict, selectedRecordings } from '../captures/named-recording.ts';
import type { DeleteOptions } from './delete-options.ts';
import { type StatusError, statusError } from './status-error.ts';

/**
 * Decides which recordings a DELETE removes, or why none. Packets that are still being recorded are never deleted. What
 * several Nodes claim, only a client who names the Node can delete; its agent, which alone knows the state, may refuse.
 */
export function deletableRecordings(
  capture: Capture,
  { uid, node, resourceVersion }: Pick<DeleteOptions, 'uid' | 'node' | 'resourceVersion'>,
): readonly CaptureRecording[] | StatusError {
  const { metadata, status } = capture;
  if (resourceVersion !== undefined && resourceVersion !== metadata.resourceVersion) {
    return conflict(
      `the capture has resourceVersion ${metadata.resourceVersion} at this replica of the hub, and another one at each other: name the uid of a recording as the precondition instead`,
    );
  }
  const isOfOne = uid !== undefined && uid !== metadata.uid;
  const ofUid = selectedRecordings(status.recordings, { uid: isOfOne ? uid : undefined, node: undefined });
  if (ofUid.length === 0) {
    return conflict('neither the capture nor one of its recordings has the uid that was asked for');
  }
  const recordings = selectedRecordings(ofUid, { uid: undefined, node });
  if (recordings.length === 0)
    return conflict(`none of the recordings that were asked for is of Node ${node}`);
  const contested = conflictingNodes(recordings);
  if (contested.length > 0) return conflict(contestedText(capture, contested));
  const unknown = recordings.find((each) => each.phase === 'Unknown' && !isInConflict(each));
  if (unknown) return notConnected(unknown.node);
  const live = recordings.find((each) => each.phase !== 'Ended' && !isInConflict(each));
  return live ? conflict(liveText(capture, live, isOfOne)) : recordings;
}

/** No agent of the Node can delete anything now. */
export function notConnected(node: string): StatusError {
  return statusError(
    'ServiceUnavailable',
    `the agent of Node ${node}, which has the files, is not connected: try again once it is`,
    10,
  );
}

function liveText({ metadata, status }: Capture, { uid, phase }: CaptureRecording, isOfOne: boolean): string {
  const { name, namespace } = metadata;
  const ended = status.recordings.filter((each) => each.phase === 'Ended').map((each) => each.uid);
  const others =
    isOfOne || ended.length === 0
      ? ''
      : `; to delete only a recording that has ended, add the parameter uid= with one of ${ended.slice(0, 5).join(', ')}`;
  return `Pod ${uid} of ${namespace}/${name} is still to be captured (${phase}): remove its annotation tcpdump.antrea.io or the CapturePolicy that selects it first${others}`;
}

function contestedText({ metadata: { namespace, name } }: Capture, nodes: readonly string[]): string {
  return (
    `agents of several Nodes say that they have the same recording of Pod ${name} in namespace ${namespace}: ` +
    `${listedNodes(nodes)}; one of them is wrong, or lies: add the parameter node= with the Node of the Pod`
  );
}

function conflict(message: string): StatusError {
  return statusError('Conflict', message);
}
