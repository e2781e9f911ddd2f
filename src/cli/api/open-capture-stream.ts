import { framesMediaType } from '../../api/stream-frames.ts';
import { type ApiRefusal, isSuccess, refusalOf } from './api-answer.ts';
import { apiPath, capturesSegments } from './api-paths.ts';
import type { OpenedStream, RecordingRequest, TapRequest } from './capture-stream.ts';
import type { Cluster } from './cluster.ts';
import { type FramedStreamOptions, framedStream } from './framed-stream.ts';
import { UnreachableServer } from './unreachable-server.ts';

/**
 * Asks for a recording or a live capture, as frames. An API server that cannot be reached is a refusal that can be tried
 * again. Throws the signal's reason when that is aborted; of a stream that is open, see `CaptureStream`.
 */
export async function openCaptureStream(
  cluster: Cluster,
  request: RecordingRequest | TapRequest,
  signal: AbortSignal,
  options: FramedStreamOptions = request.kind === 'recording' ? { stallMs: recordingStallMs } : {},
): Promise<OpenedStream> {
  const path = streamPath(request);
  try {
    const answer = await cluster.request({ path, accept: framesMediaType, signal });
    if (!isSuccess(answer)) return withRole(await refusalOf(answer, path), request);
    if (answer.contentType === framesMediaType) {
      return { kind: 'open', stream: framedStream(answer.body, signal, options) };
    }
    answer.body.destroy();
    return {
      kind: 'refused',
      status: answer.status,
      reason: 'Unknown',
      message: `the answer to ${path} is ${answer.contentType ?? 'of no type'}, not ${framesMediaType}: is the hub older than this kubectl podcap?`,
      canRetry: false,
    };
  } catch (error) {
    if (!(error instanceof UnreachableServer)) throw error;
    return { kind: 'refused', status: 0, reason: 'Unreachable', message: error.message, canRetry: true };
  }
}

/** An agent that looks for the first packet of a time that was asked for can read for long. */
const recordingStallMs = 180_000;

/** Says which role is missing where RBAC refused: the API server knows only of a resource, and the hub of a verb. */
function withRole(refusal: ApiRefusal, { kind, namespace }: RecordingRequest | TapRequest): ApiRefusal {
  const isMissingRight = /cannot get resource "captures\/|: verb (download|tap) on captures/.test(
    refusal.message,
  );
  if (refusal.status !== 403 || !isMissingRight) return refusal;
  const role = kind === 'recording' ? 'podcap-download' : 'podcap-tap';
  const binding = `kubectl create rolebinding -n ${namespace} ${role} --clusterrole=${role} --user=USER`;
  return { ...refusal, message: `${refusal.message}\nAn administrator can grant it: ${binding}` };
}

/** The path of a stream with its parameters, for any client. */
export function streamPath(request: RecordingRequest | TapRequest): string {
  const { namespace, pod } = request;
  const segments = [...capturesSegments(namespace), pod];
  if (request.kind === 'recording') {
    const { uid, frozen, since, until, node } = request;
    return apiPath([...segments, 'log'], { uid, frozen, since, until, node });
  }
  const { filter, interface: name, snaplen, node } = request;
  return apiPath([...segments, 'attach'], { filter, interface: name, snaplen: snaplen?.toString(), node });
}
