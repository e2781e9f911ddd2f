import * as v from 'valibot';
import type { Capture, CaptureRecording } from '../../api/capture.ts';
import { plainText } from '../../base/plain-text.ts';
import { linkErrorSchema, linkPaths } from '../../link/protocol.ts';
import { namespaceUnchecked } from '../access/access-errors.ts';
import { type AgentLink, AgentUnavailable } from '../agents/agent-link.ts';
import { readAnswerText } from '../agents/answer-text.ts';
import type { CaptureName, Captures } from '../captures/captures.ts';
import type { ApiCall, ApiSources } from './api-call.ts';
import { sendJson } from './api-response.ts';
import { deletableRecordings, notConnected } from './deletable-recordings.ts';
import { readDeleteOptions } from './delete-options.ts';
import { captureNotFound, visibleCapture } from './read-captures.ts';
import { isStatusError, type StatusError, statusError } from './status-error.ts';

const deleteMs = { agent: 10_000, gone: 5_000 } as const;
/** Of the words with which an agent refuses. */
const answerBounds = { mostBytes: 16 * 1024, withinMs: 5_000 } as const;

/** Answers a DELETE of ended recordings, once they are gone, or returns the error to answer with. */
export async function deleteCapture(
  sources: ApiSources,
  call: ApiCall,
  name: CaptureName,
): Promise<StatusError | undefined> {
  const { caller, request, response, query, signal } = call;
  const forbidden = await sources.access.authorize(caller, { verb: 'delete', ...name }, signal);
  if (forbidden) return forbidden;
  const options = await readDeleteOptions(request, query);
  if (isStatusError(options)) return options;
  const { capture, unchecked } = await visibleCapture(sources, name, signal);
  if (!capture) return captureNotFound(name);
  // It may be what a namespace of the same name, and other owners, left.
  if (unchecked.length > 0) return namespaceUnchecked(name.namespace);
  const recordings = deletableRecordings(capture, options);
  if (isStatusError(recordings)) return recordings;
  if (!options.isDryRun) {
    for (const recording of recordings) {
      const error = await deleteRecording(sources.captures, name, recording, signal);
      if (error) return error;
    }
    await gone(sources.captures, name, new Set(recordings.map(recordingKey)), signal);
  }
  sendJson(response, success(capture));
  return undefined;
}

function success({ metadata: { name, uid } }: Capture): object {
  const details = { name, group: 'podcap.dev', kind: 'captures', uid };
  return { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', details };
}

/** During a rolling update, a Node has two agents: of a recording that one does not know or cannot delete, the next is asked. */
async function deleteRecording(
  captures: Captures,
  name: CaptureName,
  { uid, node }: CaptureRecording,
  signal: AbortSignal,
): Promise<StatusError | undefined> {
  const errors: StatusError[] = [];
  for (const agent of captures.agentsOf(name, { uid, node })) {
    const error = await deleteAt(agent, uid, signal);
    if (!error) return undefined;
    errors.push(error);
  }
  if (errors.length === 0) return notConnected(node);
  // If none that could have it has anything of it, it is gone.
  return errors.find(({ code }) => code !== 404);
}

async function deleteAt(
  agent: AgentLink,
  uid: string,
  signal: AbortSignal,
): Promise<StatusError | undefined> {
  try {
    const answer = await agent.request({
      method: 'DELETE',
      path: linkPaths.recording,
      query: { uid },
      signal,
      responseMs: deleteMs.agent,
    });
    const body = await readAnswerText(answer, answerBounds);
    return answer.status < 300 ? undefined : errorOf(agent, answer.status, body);
  } catch (error) {
    if (error instanceof AgentUnavailable) return notConnected(agent.node);
    throw error;
  }
}

function errorOf({ node }: AgentLink, status: number, body: string): StatusError {
  const parsed = v.safeParse(v.pipe(v.string(), v.parseJson(), linkErrorSchema), body);
  const said = parsed.success ? parsed.output.message : `HTTP status ${status}`;
  const message = plainText(`the agent of Node ${node} did not delete the recording: ${said}`);
  switch (status) {
    case 404:
      return statusError('NotFound', message);
    case 409:
      return statusError('Conflict', message);
    case 503:
      return statusError('ServiceUnavailable', message, 10);
    default:
      return statusError('InternalError', message);
  }
}

/** Waits until this replica knows that they are gone, so that a GET after the DELETE does not find them; not for ever. */
async function gone(
  captures: Captures,
  name: CaptureName,
  keys: ReadonlySet<string>,
  signal: AbortSignal,
): Promise<void> {
  const enough = AbortSignal.any([signal, AbortSignal.timeout(deleteMs.gone)]);
  const isLeft = (capture: Capture | undefined) =>
    capture?.status.recordings.some((each) => keys.has(recordingKey(each))) ?? false;
  let left = false;
  for await (const changes of captures.watch(name, { kind: 'now' }, enough)) {
    for (const change of changes) {
      if (change.kind === 'added' || change.kind === 'modified') left = isLeft(change.capture);
      if (change.kind === 'deleted') left = false;
      const isKnown = change.kind !== 'bookmark' || change.isInitial;
      if (isKnown && !left) return;
    }
  }
}

function recordingKey({ uid, node }: CaptureRecording): string {
  return `${node} ${uid}`;
}
