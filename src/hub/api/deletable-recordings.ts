import type { Capture, CaptureRecording } from '../../api/capture.ts';
import type { DeleteOptions } from './delete-options.ts';
import { type StatusError, statusError } from './status-error.ts';

/** Decides which recordings a DELETE removes, or why none. Packets that are still being recorded are never deleted. */
export function deletableRecordings(
  capture: Capture,
  { uid, resourceVersion }: Pick<DeleteOptions, 'uid' | 'resourceVersion'>,
): readonly CaptureRecording[] | StatusError {
  const { metadata, status } = capture;
  if (resourceVersion !== undefined && resourceVersion !== metadata.resourceVersion) {
    return conflict(
      `the capture has resourceVersion ${metadata.resourceVersion}, not the one of the precondition: get it again`,
    );
  }
  const isOfOne = uid !== undefined && uid !== metadata.uid;
  const recordings = isOfOne ? status.recordings.filter((each) => each.uid === uid) : status.recordings;
  if (recordings.length === 0) {
    return conflict('neither the capture nor one of its recordings has the uid that was asked for');
  }
  const unknown = recordings.find(({ phase }) => phase === 'Unknown');
  if (unknown) return notConnected(unknown.node);
  const live = recordings.find(({ phase }) => phase !== 'Ended');
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

function conflict(message: string): StatusError {
  return statusError('Conflict', message);
}
