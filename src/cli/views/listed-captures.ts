import * as v from 'valibot';
import { apiVersion, type Capture } from '../../api/capture.ts';
import { semaphore } from '../../base/semaphore.ts';
import { failureOf, parseObject, requestObject } from '../api/api-answer.ts';
import { apiPath, capturesSegments } from '../api/api-paths.ts';
import { captureSchema } from '../api/capture-schema.ts';
import type { Cluster } from '../api/cluster.ts';
import { type FollowOptions, followObjects } from '../api/follow-objects.ts';

/** A capture, and the object as the hub sent it: a newer hub may have fields that this program does not know. */
export type ListedCapture = { readonly capture: Capture; readonly object: object };

/** Which captures: those of these Pods of a namespace; or all, or those that a label selector selects. */
export type ListedQuery = {
  /** Undefined: all namespaces. */
  readonly namespace: string | undefined;
  readonly names: readonly string[];
  readonly labelSelector: string | undefined;
};

export type ListedCaptures = {
  readonly captures: readonly ListedCapture[];
  /** Those of the names that have none. */
  readonly missing: readonly string[];
  /** For example that the agents of some Nodes did not answer. */
  readonly warnings: readonly string[];
};

/**
 * The captures as the hub shows them now: in one request, or in one for each name, so that a user who may get only
 * some captures can.
 *
 * @throws CommandFailure with the words of the API server or the hub if it refuses.
 */
export async function listedCaptures(
  cluster: Cluster,
  query: ListedQuery,
  signal: AbortSignal,
): Promise<ListedCaptures> {
  if (query.names.length > 0) return await namedCaptures(cluster, query, signal);
  const path = apiPath(capturesSegments(query.namespace), { labelSelector: query.labelSelector });
  const answer = await requestObject(cluster, { path, signal });
  if (answer.kind === 'refused') throw failureOf(answer);
  const { items } = parseObject(listSchema, answer.object, path);
  // As kube-apiserver does, a list may leave out what is the same for all.
  const captures = items.map((item) => listedCapture({ apiVersion, kind: 'Capture', ...item }, path));
  return { captures, missing: [], warnings: answer.warnings };
}

export type ListedChange = { readonly kind: 'set' | 'deleted'; readonly listed: ListedCapture };

/** All captures at first, then every change: see `followObjects`. */
export async function* followListed(
  cluster: Cluster,
  { namespace, names, labelSelector }: ListedQuery,
  signal: AbortSignal,
  options: FollowOptions,
): AsyncGenerator<ListedChange, void> {
  const path = apiPath(capturesSegments(namespace));
  const collection = {
    path,
    labelSelector,
    fieldSelector: names.length === 1 ? `metadata.name=${names[0]}` : undefined,
    parse: (object: unknown) => listedCapture(object, path),
    keyOf: captureKey,
  };
  const wanted = new Set(names);
  for await (const { kind, object } of followObjects(cluster, collection, signal, options)) {
    if (wanted.size === 0 || wanted.has(object.capture.metadata.name)) yield { kind, listed: object };
  }
}

/** namespace/name */
export function captureKey({ capture: { metadata } }: ListedCapture): string {
  return `${metadata.namespace}/${metadata.name}`;
}

async function namedCaptures(
  cluster: Cluster,
  { namespace, names }: ListedQuery,
  signal: AbortSignal,
): Promise<ListedCaptures> {
  const inTurn = semaphore(atOnce);
  const answers = await Promise.all(
    names.map((name) =>
      inTurn(async () => {
        const path = apiPath([...capturesSegments(namespace), name]);
        return { name, path, answer: await requestObject(cluster, { path, signal }) };
      }, signal),
    ),
  );
  const captures: ListedCapture[] = [];
  const missing: string[] = [];
  const warnings = new Set<string>();
  for (const { name, path, answer } of answers) {
    if (answer.kind === 'object') {
      captures.push(listedCapture(answer.object, path));
      for (const warning of answer.warnings) warnings.add(warning);
    } else if (answer.reason === 'NotFound') missing.push(name);
    else throw failureOf(answer);
  }
  return { captures, missing, warnings: [...warnings] };
}

const atOnce = 8;

function listedCapture(object: unknown, path: string): ListedCapture {
  const capture = parseObject(captureSchema, object, path);
  return { capture, object: parseObject(objectSchema, object, path) };
}

const objectSchema = v.looseObject({});
const listSchema = v.object({ items: v.nullish(v.array(objectSchema), []) });
