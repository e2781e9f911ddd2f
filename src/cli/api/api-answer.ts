import * as v from 'valibot';
import { apiGroup, apiVersion } from '../../api/capture.ts';
import { plainText } from '../../base/plain-text.ts';
import { exitCodes } from '../../commands/terminal.ts';
import { CommandFailure } from '../cli-command.ts';
import type { Cluster, ClusterAnswer, ClusterRequest } from './cluster.ts';
import { isCut } from './is-cut.ts';
import { readBodyText } from './read-body.ts';
import { UnreachableServer } from './unreachable-server.ts';

/** An object that the API server sent, or why it sent none. */
export type ApiAnswer =
  | { readonly kind: 'object'; readonly object: unknown; readonly warnings: readonly string[] }
  | ApiRefusal;

/** An answer other than 2xx, in plain words. */
export type ApiRefusal = {
  readonly kind: 'refused';
  /** The HTTP status. */
  readonly status: number;
  /**
   * Of the Status object: Forbidden, NotFound, Conflict ... Without one: HubMissing and HubUnavailable for what is wrong
   * with the hub as a whole, and Unknown.
   */
  readonly reason: string;
  readonly message: string;
  /** Whether the same request can work soon. */
  readonly canRetry: boolean;
  /** After how long, if the server says it. */
  readonly retryAfterMs?: number;
};

/** Sends a request, and reads its whole answer: an object, or a refusal. Throws as `Cluster.request` does. */
export async function requestObject(cluster: Cluster, request: ClusterRequest): Promise<ApiAnswer> {
  return await answerOf(await cluster.request(request), request.path);
}

/** Reads an answer of the API server as an object, or as a refusal. `path` says what was asked for. */
export async function answerOf(answer: ClusterAnswer, path: string): Promise<ApiAnswer> {
  if (!isSuccess(answer)) return await refusalOf(answer, path);
  const text = await readWhole(answer, path, mostBytes);
  const parsed = v.safeParse(json, text);
  if (parsed.success) return { kind: 'object', object: parsed.output, warnings: answer.warnings };
  throw malformed(path, text.length >= mostBytes ? 'too long' : 'no JSON');
}

/** Whether the status is 2xx. */
export function isSuccess({ status }: Pick<ClusterAnswer, 'status'>): boolean {
  return status >= 200 && status < 300;
}

/** Why the API server, or the hub behind it, refused a request. */
export async function refusalOf(answer: ClusterAnswer, path: string): Promise<ApiRefusal> {
  const text = await readWhole(answer, path, mostRefusalBytes);
  return refusalOfText(answer.status, text, path);
}

/** The same, of the text of an answer: pure. */
export function refusalOfText(status: number, text: string, path: string): ApiRefusal {
  const canRetry = [429, 502, 503, 504].includes(status);
  const parsed = v.safeParse(v.pipe(json, statusSchema), text);
  if (parsed.success) {
    const { reason = '', message = '', details } = parsed.output;
    const retryAfterSeconds = details?.retryAfterSeconds ?? 0;
    // kubectl's own words for a login that is missing or has expired.
    const said = status === 401 ? 'you must be logged in to the server (Unauthorized)' : plainText(message);
    return {
      kind: 'refused',
      status,
      reason: reason || 'Unknown',
      message: said || `HTTP status ${status}`,
      canRetry,
      ...(retryAfterSeconds > 0 && { retryAfterMs: retryAfterSeconds * 1_000 }),
    };
  }
  const said = plainText(text.trim()).slice(0, mostCharacters) || `HTTP status ${status}`;
  if (path.startsWith(`/apis/${apiVersion}/`)) {
    if (status === 404)
      return { kind: 'refused', status, reason: 'HubMissing', message: hubMissing, canRetry };
    if (status === 503) {
      return { kind: 'refused', status, reason: 'HubUnavailable', message: hubUnavailable(said), canRetry };
    }
  }
  return { kind: 'refused', status, reason: 'Unknown', message: `HTTP status ${status}: ${said}`, canRetry };
}

/** The failure of a command that ends with the refusal. */
export function failureOf({ message }: ApiRefusal, exitCode: number = exitCodes.failed): CommandFailure {
  return new CommandFailure(message, exitCode);
}

/** Validates an object that the API server sent. */
export function parseObject<S extends v.GenericSchema>(
  schema: S,
  object: unknown,
  path: string,
): v.InferOutput<S> {
  const parsed = v.safeParse(schema, object);
  if (parsed.success) return parsed.output;
  const [issue] = parsed.issues;
  throw malformed(path, `${v.getDotPath(issue) ?? 'the object'}: ${issue.message}`);
}

/** The object; throws the failure of a refusal. */
export function objectOf(answer: ApiAnswer): unknown {
  if (answer.kind === 'refused') throw failureOf(answer);
  return answer.object;
}

async function readWhole(answer: ClusterAnswer, path: string, maxBytes: number): Promise<string> {
  try {
    return await readBodyText(answer.body, maxBytes);
  } catch (error) {
    if (!isCut(error)) throw error;
    throw new UnreachableServer(`the answer to ${path} was cut: ${error.message}`);
  }
}

function malformed(path: string, problem: string): CommandFailure {
  return new CommandFailure(
    `the answer to ${path} is not what the API server sends: ${problem}`,
    exitCodes.failed,
  );
}

const withoutHub =
  'Without the hub, whoever may exec into the agents can read recordings there: find the agent on the Node of the Pod ' +
  '(kubectl get pods -n kube-system -l app=packet-capture -o wide), and run\n' +
  'kubectl exec -n kube-system AGENT -- podcap list\n' +
  'kubectl exec -n kube-system AGENT -- podcap read NAMESPACE/POD > FILE.pcapng';

const hubMissing =
  `this cluster has no ${apiGroup} API: Podcap's hub is not installed, or was switched off (hub.enabled=false). ` +
  `An administrator installs it with Podcap's chart.\n${withoutHub}`;

function hubUnavailable(said: string): string {
  return (
    `Podcap's hub does not answer; the API server says: ${said}. Try again. If that lasts, an administrator finds out why ` +
    `with kubectl describe apiservice ${apiVersion.split('/').toReversed().join('.')} and the Pods of the hub.\n${withoutHub}`
  );
}

const json = v.pipe(v.string(), v.parseJson());
const statusSchema = v.object({
  kind: v.literal('Status'),
  reason: v.optional(v.string()),
  message: v.optional(v.string()),
  details: v.fallback(v.optional(v.object({ retryAfterSeconds: v.optional(v.number()) })), undefined),
});
const mostBytes = 256 * 1024 * 1024;
const mostRefusalBytes = 64 * 1024;
const mostCharacters = 1_000;
