import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import { respondUntilComplete } from '../../link/complete-answer.ts';
import { absentReasons } from '../../link/protocol.ts';
import { answerError, type LinkHandler } from '../link/link-handler.ts';
import type { Decision, Plan } from '../planner/decisions.ts';
import type { CaptureFolders, FolderState } from '../storage/capture-folders.ts';
import { podNamePatterns } from '../storage/file-names.ts';
import { type RecordingRefusal, refuseRecording } from './recording-request.ts';

export type DiscardOptions = {
  readonly folders: Pick<CaptureFolders, 'states'>;
  /** Undefined before the Pods are listed. */
  readonly plan: () => Pick<Plan, 'decisions'> | undefined;
  /** What the plan deletes once it may. A UID is in it as long as a request for it lasts. */
  readonly discarded: Set<string>;
  readonly requestPlan: () => void;
  /** The API server is asked before anything is deleted, and may take long. */
  readonly withinMs?: number;
  readonly log: Logger;
};

const defaultWithinMs = 8_000;
const lookEveryMs = 50;

/** Answers DELETE /v1/recording, once nothing is left of an ended recording; what is still asked for is never deleted. */
export function discardRoute(options: DiscardOptions): LinkHandler {
  return async ({ stream, query, signal }) => {
    const refused = await discard(query.get('uid') ?? '', signal, options);
    if (refused) return answerError(stream, refused.status, refused.error);
    if (stream.destroyed) return;
    respondUntilComplete(stream, { ':status': 200, 'content-type': 'application/json' });
    stream.end('{}');
  };
}

async function discard(
  uid: string,
  signal: AbortSignal,
  options: DiscardOptions,
): Promise<RecordingRefusal | undefined> {
  const { folders, discarded, requestPlan, withinMs = defaultWithinMs, log } = options;
  const refusal = refusalOf(uid, options);
  if (refusal) return refusal;
  discarded.add(uid);
  try {
    requestPlan();
    const deadlineMs = performance.now() + withinMs;
    while (folders.states().has(uid)) {
      if (signal.aborted || performance.now() > deadlineMs) return pending;
      await sleep(lookEveryMs, undefined, { signal }).catch(() => {});
    }
  } finally {
    discarded.delete(uid);
  }
  log.info({ uid }, 'recording discarded');
  return undefined;
}

const pending = refuseRecording(
  503,
  'DeletionPending',
  'the files are still there: the API server has to confirm that the Pod has ended; try again',
);

function refusalOf(uid: string, { folders, plan }: DiscardOptions): RecordingRefusal | undefined {
  if (!podNamePatterns.uid.test(uid))
    return refuseRecording(400, 'InvalidParameter', 'uid is required: that of the recorded Pod');
  const folder = folders.states().get(uid);
  if (!folder)
    return refuseRecording(404, absentReasons.recording, `nothing is recorded of a Pod with UID ${uid}`);
  const planned = plan();
  if (!planned)
    return refuseRecording(503, 'PodsNotListed', 'the agent does not know its Pods yet: try again');
  return isOver(planned.decisions.get(uid), folder) ? undefined : stillWanted(uid);
}

/** Whether no capture runs, and none would start again if the files were deleted. */
function isOver(decision: Decision | undefined, { endedMs }: FolderState): boolean {
  if (decision?.kind === 'delete') return true;
  return (
    endedMs !== undefined && decision?.kind === 'keep' && ['PodEnded', 'NotMatched'].includes(decision.why)
  );
}

function stillWanted(uid: string): RecordingRefusal {
  const message = `Pod ${uid} is still to be captured: remove its annotation or its CapturePolicy first, or wait until the Pod has ended`;
  return refuseRecording(409, 'StillRequested', message);
}
