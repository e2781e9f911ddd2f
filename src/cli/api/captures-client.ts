import type { Capture } from '../../api/capture.ts';
import { failureOf, objectOf, parseObject, requestObject } from './api-answer.ts';
import { apiPath, capturesSegments } from './api-paths.ts';
import { captureListSchema, captureSchema } from './capture-schema.ts';
import type { Cluster } from './cluster.ts';
import { type FollowOptions, followObjects } from './follow-objects.ts';

/** Which captures: those of a namespace, or of all, and of them those that a label selector selects. */
export type CaptureQuery = {
  readonly namespace: string | undefined;
  readonly labelSelector?: string | undefined;
};

export type CaptureList = {
  readonly captures: readonly Capture[];
  /** For example that the agents of some Nodes did not answer. */
  readonly warnings: readonly string[];
};

const ownWarning = /^podcap: /;

/** Whether the hub warned that the list may lack captures: what is not in it may be there. */
export function isPartial(warnings: readonly string[]): boolean {
  return warnings.some((each) => each.includes('may lack captures'));
}

/** A warning of the hub, without its name. */
export function plainWarning(warning: string): string {
  return warning.replace(ownWarning, '');
}

/**
 * The captures, as the hub shows them now.
 *
 * @throws CommandFailure with the words of the API server or the hub if it refuses.
 */
export async function listCaptures(
  cluster: Cluster,
  { namespace, labelSelector }: CaptureQuery,
  signal: AbortSignal,
): Promise<CaptureList> {
  const path = apiPath(capturesSegments(namespace), { labelSelector: labelSelector || undefined });
  const answer = await requestObject(cluster, { path, signal });
  if (answer.kind === 'refused') throw failureOf(answer);
  const { items } = parseObject(captureListSchema, answer.object, path);
  return { captures: items, warnings: answer.warnings };
}

export type WatchedCapture = { readonly kind: 'set' | 'deleted'; readonly capture: Capture };

/**
 * All captures at first, then every change, whatever happens to the hub and the connections; ends when the signal
 * aborts. A capture can come again as it was.
 *
 * @throws CommandFailure if they cannot be listed at first, or not be read any more.
 */
export async function* watchCaptures(
  cluster: Cluster,
  { namespace, labelSelector }: CaptureQuery,
  signal: AbortSignal,
  options: FollowOptions = {},
): AsyncGenerator<WatchedCapture, void> {
  const path = apiPath(capturesSegments(namespace));
  const collection = {
    path,
    labelSelector: labelSelector || undefined,
    parse: (object: unknown) => parseObject(captureSchema, object, path),
    isPartial,
    keyOf: ({ metadata }: Capture) => `${metadata.namespace}/${metadata.name}`,
  };
  for await (const { kind, object } of followObjects(cluster, collection, signal, options)) {
    yield { kind, capture: object };
  }
}

/** One capture; undefined if nothing is recorded of a Pod of that name. Throws as `listCaptures` does. */
export async function readCapture(
  cluster: Cluster,
  { namespace, name }: { readonly namespace: string; readonly name: string },
  signal: AbortSignal,
): Promise<Capture | undefined> {
  const path = apiPath([...capturesSegments(namespace), name]);
  const answer = await requestObject(cluster, { path, signal });
  if (answer.kind === 'refused' && answer.reason === 'NotFound') return undefined;
  return parseObject(captureSchema, objectOf(answer), path);
}
