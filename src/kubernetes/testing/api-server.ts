import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import { gzipSync } from 'node:zlib';
import * as v from 'valibot';
import { until } from '../../base/until.ts';
import { listenOnLoopback } from '../../testbed/loopback-port.ts';
import type { ClusterConfig, Credentials } from '../client-config.ts';
import type { ApiCollection } from './api-collection.ts';
import { type Certificate, selfSigned } from './certificate.ts';

/**
 * An API server that answers as a test scripts it, over real HTTPS. Each request takes the next answer scripted for its
 * kind. With none left, a list is empty, a watch stays open, a write is accepted, and a read returns what `objects` has
 * at its path, or an empty object.
 */
export type ApiServer = AsyncDisposable & {
  readonly config: ClusterConfig;
  /** All requests so far, oldest first. */
  readonly requests: readonly RecordedRequest[];
  /** The next answers, by kind of request. */
  readonly script: Readonly<Record<RequestKind, ScriptedAnswer[]>>;
  /** The objects that can be read, by path; and replaced, if the body has the resourceVersion of the object. */
  readonly objects: Map<string, object>;
  /** Paths at which a read finds nothing. */
  readonly absent: Set<string>;
  /** Collections that are listed and watched as they are, without a script, by path. */
  readonly collections: Map<string, ApiCollection>;
  /** Answers of writes that depend on what is written, by path. */
  readonly answers: Map<string, (request: RecordedRequest) => ScriptedAnswer>;
  /** Resolves to the watches in the order in which they are opened, one at each call. */
  readonly nextWatch: () => Promise<WatchStream>;
  /** The same for watches of CapturePolicies, which `watches` does not have. */
  readonly nextPolicyWatch: () => Promise<WatchStream>;
  readonly watches: readonly WatchStream[];
  /** Accepts only this token; undefined accepts every request. */
  accept: (token: string | undefined) => void;
  /** Closes every connection at once, idle ones too. */
  readonly cutAll: () => void;
};

/** `policyRead` is a list of the CapturePolicies of one namespace. */
export type RequestKind = 'list' | 'watch' | 'write' | 'read' | 'policyList' | 'policyWatch' | 'policyRead';

export type RecordedRequest = {
  readonly kind: RequestKind;
  readonly method: string;
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  readonly authorization: string | undefined;
  readonly contentType: string | undefined;
  readonly body: unknown;
};

export type JsonAnswer = {
  readonly kind: 'json';
  readonly status?: number;
  readonly body: unknown;
  readonly headers?: Record<string, string>;
};

export type ScriptedAnswer =
  | JsonAnswer
  | { readonly kind: 'gzip'; readonly body: unknown }
  /** A watch that stays open; its head and the first text of its body are sent together. */
  | { readonly kind: 'watch'; readonly text: string }
  /** Accepted and never answered. */
  | { readonly kind: 'silence' }
  /** The connection is closed before an answer. */
  | { readonly kind: 'cut' };

export type WatchStream = {
  readonly query: Readonly<Record<string, string>>;
  readonly send: (event: object) => void;
  readonly bytes: (bytes: Uint8Array | string) => void;
  /** Ends the watch as the server does at timeoutSeconds. */
  readonly end: () => void;
  readonly cut: () => void;
  readonly isClosed: () => boolean;
  /** Bytes that the client has not read yet. */
  readonly unsentBytes: () => number;
};

/** Starts an API server on a free port of 127.0.0.1. */
export async function apiServer(
  credentials: Credentials = { kind: 'token', token: 'first' },
  certificate?: Certificate,
): Promise<ApiServer> {
  const identity = certificate ?? (await selfSigned());
  const requests: RecordedRequest[] = [];
  const watches: WatchStream[] = [];
  const policyWatches: WatchStream[] = [];
  const script = {
    list: [],
    watch: [],
    write: [],
    read: [],
    policyList: [],
    policyWatch: [],
    policyRead: [],
  } satisfies Record<RequestKind, ScriptedAnswer[]>;
  const objects = new Map<string, object>();
  const absent = new Set<string>();
  const collections = new Map<string, ApiCollection>();
  const answers = new Map<string, (request: RecordedRequest) => ScriptedAnswer>();
  let accepted: string | undefined;
  let watchesReturned = 0;
  let policyWatchesReturned = 0;

  function nextAnswer(recorded: RecordedRequest): ScriptedAnswer | undefined {
    const scripted = script[recorded.kind].shift();
    return scripted ?? (recorded.kind === 'write' ? answers.get(recorded.path)?.(recorded) : undefined);
  }

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const recorded = await record(request);
    requests.push(recorded);
    const isAuthorized = accepted === undefined || recorded.authorization === `Bearer ${accepted}`;
    const collection = isAuthorized && recorded.method === 'GET' && collections.get(recorded.path);
    if (collection) return collection.answer(recorded.query, response);
    const answer = isAuthorized ? nextAnswer(recorded) : refusal(401, 'Unauthorized');
    const opened = recorded.kind === 'policyWatch' ? policyWatches : watches;
    if (answer?.kind === 'watch') opened.push(openWatch(recorded.query, response, answer.text));
    else if (answer !== undefined) reply(response, answer);
    else if (isWatch(recorded.kind)) opened.push(openWatch(recorded.query, response));
    else if (isList(recorded.kind)) reply(response, list('1'));
    else if (recorded.kind === 'read' && absent.has(recorded.path)) reply(response, refusal(404, 'NotFound'));
    else if (recorded.kind === 'read')
      reply(response, { kind: 'json', body: objects.get(recorded.path) ?? {} });
    else if (recorded.method === 'PUT' && objects.has(recorded.path))
      reply(response, replaceObject(objects, recorded));
    else reply(response, { kind: 'json', status: 201, body: recorded.body ?? {} });
  }

  const { close, url, cutAll } = await listen(identity, (request, response) => void serve(request, response));
  return {
    config: { server: url, ca: identity.cert, credentials },
    requests,
    script,
    objects,
    absent,
    collections,
    answers,
    watches,
    async nextWatch() {
      const index = watchesReturned;
      watchesReturned += 1;
      return await until(() => watches[index], { what: `watch ${index} to be opened` });
    },
    async nextPolicyWatch() {
      const index = policyWatchesReturned;
      policyWatchesReturned += 1;
      return await until(() => policyWatches[index], { what: `watch ${index} of policies to be opened` });
    },
    accept(token) {
      accepted = token;
    },
    cutAll,
    [Symbol.asyncDispose]: close,
  };
}

function isWatch(kind: RequestKind): boolean {
  return kind === 'watch' || kind === 'policyWatch';
}

function isList(kind: RequestKind): boolean {
  return ['list', 'policyList', 'policyRead'].includes(kind);
}

function replaceObject(objects: Map<string, object>, { path, body }: RecordedRequest): JsonAnswer {
  const before = v.parse(versionedSchema, objects.get(path));
  const after = v.parse(versionedSchema, body);
  const { resourceVersion } = before.metadata;
  if (after.metadata.resourceVersion !== resourceVersion) return refusal(409, 'Conflict');
  const replaced = {
    ...after,
    metadata: { ...after.metadata, resourceVersion: `${Number(resourceVersion) + 1}` },
  };
  objects.set(path, replaced);
  return { kind: 'json', body: replaced };
}

const versionedSchema = v.looseObject({ metadata: v.looseObject({ resourceVersion: v.string() }) });

/** A PodList; `token` says that another page follows. */
export function list(resourceVersion: string, items: readonly object[] = [], token?: string): JsonAnswer {
  return { kind: 'json', body: { kind: 'PodList', metadata: { resourceVersion, continue: token }, items } };
}

/** A refusal with a `Status` object. */
export function refusal(status: number, reason: string, headers: Record<string, string> = {}): JsonAnswer {
  return { kind: 'json', status, headers, body: statusObject(status, reason) };
}

/** A `Status` object, as the body of a refusal or the object of an ERROR event. */
export function statusObject(code: number, reason: string): object {
  return {
    kind: 'Status',
    apiVersion: 'v1',
    status: 'Failure',
    code,
    reason,
    message: `${reason} by the test`,
  };
}

async function listen(
  certificate: Certificate,
  handler: (request: IncomingMessage, response: ServerResponse) => void,
) {
  const server = createServer(
    { cert: certificate.cert, key: certificate.key, keepAliveTimeout: 60_000 },
    handler,
  );
  const port = await listenOnLoopback(server);
  return {
    url: new URL(`https://127.0.0.1:${port}`),
    cutAll: () => server.closeAllConnections(),
    close: async () => {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

async function record(request: IncomingMessage): Promise<RecordedRequest> {
  const url = new URL(request.url ?? '', 'https://server');
  const parts: Buffer[] = [];
  for await (const part of request) if (Buffer.isBuffer(part)) parts.push(part);
  const text = Buffer.concat(parts).toString('utf8');
  const method = request.method ?? '';
  const query = Object.fromEntries(url.searchParams);
  return {
    kind: kindOf(method, url),
    method,
    path: url.pathname,
    query,
    authorization: request.headers.authorization,
    contentType: request.headers['content-type'],
    body: text === '' ? undefined : JSON.parse(text),
  };
}

function kindOf(method: string, url: URL): RequestKind {
  if (method !== 'GET') return 'write';
  const isPolicies = url.pathname.endsWith('/capturepolicies');
  if (url.searchParams.get('watch') === 'true') return isPolicies ? 'policyWatch' : 'watch';
  if (isPolicies) return url.pathname.includes('/namespaces/') ? 'policyRead' : 'policyList';
  return url.pathname.endsWith('/pods') ? 'list' : 'read';
}

function reply(response: ServerResponse, answer: Exclude<ScriptedAnswer, { kind: 'watch' }>): void {
  switch (answer.kind) {
    case 'json':
      response.writeHead(answer.status ?? 200, { 'content-type': 'application/json', ...answer.headers });
      response.end(JSON.stringify(answer.body));
      return;
    case 'gzip':
      response.writeHead(200, { 'content-type': 'application/json', 'content-encoding': 'gzip' });
      response.end(gzipSync(JSON.stringify(answer.body)));
      return;
    case 'cut':
      response.destroy();
      return;
    case 'silence':
  }
}

/** An event as a line of a watch. */
export function watchLine(event: object): string {
  return `${JSON.stringify(event)}\n`;
}

function openWatch(
  query: Readonly<Record<string, string>>,
  response: ServerResponse,
  firstText?: string,
): WatchStream {
  response.writeHead(200, { 'content-type': 'application/json' });
  if (firstText === undefined) response.flushHeaders();
  else response.write(firstText);
  return {
    query,
    send: (event) => response.write(watchLine(event)),
    bytes: (bytes) => response.write(bytes),
    end: () => response.end(),
    cut: () => response.destroy(),
    isClosed: () => response.closed,
    unsentBytes: () => response.writableLength + (response.socket?.writableLength ?? 0),
  };
}
