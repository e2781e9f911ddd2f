import type { IncomingMessage, OutgoingHttpHeaders } from 'node:http';
import { Agent } from 'node:https';
import { ApiError, type Call } from './api-error.ts';
import { bearerToken } from './bearer-token.ts';
import type { ClusterConfig } from './client-config.ts';
import { type ClientLimits, defaultClientLimits } from './client-limits.ts';
import { type Exchange, exchange } from './http-exchange.ts';
import { isSuccess, parseJson, readText, refusal } from './http-response.ts';

/** The few requests that Podcap makes. Whatever the network or the server does, they throw nothing but an ApiError. */
export type KubernetesClient = AsyncDisposable & {
  /** Reads an object or a list; the caller validates it. */
  readonly get: (request: ApiRequest) => Promise<unknown>;
  readonly create: (request: ApiRequest & { readonly body: object }) => Promise<unknown>;
  /** A JSON merge patch (RFC 7386). */
  readonly patch: (request: ApiRequest & { readonly body: object }) => Promise<unknown>;
  /** Replaces an object; refused as a Conflict if it has another resourceVersion than the body. */
  readonly update: (request: ApiRequest & { readonly body: object }) => Promise<unknown>;
  /** A server-side apply, which takes over fields that others have set. Creates the object if it does not exist. */
  readonly apply: (
    request: ApiRequest & { readonly body: object; readonly fieldManager: string },
  ) => Promise<unknown>;
  readonly delete: (request: ApiRequest) => Promise<unknown>;
  /** Opens an answer without an end, such as a watch. */
  readonly stream: (request: StreamRequest) => Promise<ByteStream>;
};

export type ApiRequest = {
  readonly path: string;
  /** Undefined values are omitted. */
  readonly query?: Readonly<Record<string, string | undefined>>;
  readonly signal?: AbortSignal;
  /** For the whole request, to the end of the answer's body. The client's deadline unless set. */
  readonly deadlineMs?: number;
};

export type StreamRequest = Omit<ApiRequest, 'deadlineMs'> & {
  /** The longest wait for the head of the answer. */
  readonly responseMs: number;
  /** The longest wait for the next bytes. The time that the reader takes between two reads does not count. */
  readonly idleMs: number;
};

/** The bytes of an answer as they arrive, read no faster than asked for. Throws an ApiError when it breaks off. */
export type ByteStream = AsyncIterable<Buffer> & AsyncDisposable;

/** A client of one API server over HTTP/1.1: one connection per watch; all other requests share kept-alive ones. */
export function kubernetesClient(
  config: ClusterConfig,
  limits: Partial<ClientLimits> = {},
): KubernetesClient {
  const { connectMs, deadlineMs, answerBytes } = { ...defaultClientLimits, ...limits };
  const agent = new Agent({
    keepAlive: true,
    keepAliveMsecs: 30_000,
    maxFreeSockets: 4,
    ...identity(config),
  });
  const token = bearerToken(config.credentials);

  /** Sends again, once: after a 401 if the token file has a new token, or a GET if its kept connection was dead. */
  async function withToken<R>(call: Call, send: (bearer: string | undefined) => Promise<R>): Promise<R> {
    const bearer = await readToken(call);
    try {
      return await send(bearer);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (error.reason === 'StaleConnection' && call.method === 'GET') return await send(bearer);
      if (error.status !== 401) throw error;
      token.expire();
      const fresh = await readToken(call);
      if (fresh === bearer) throw error;
      return await send(fresh);
    }
  }

  function readToken(call: Call): Promise<string | undefined> {
    return token.read().catch((cause: unknown) => {
      throw new ApiError({ ...call, reason: 'TokenUnreadable', message: String(cause), cause });
    });
  }

  function json(method: string, request: ApiRequest, content?: Content): Promise<unknown> {
    const call = { method, path: request.path };
    return withToken(call, async (bearer) => {
      using sent = exchange({
        agent,
        url: urlOf(config.server, request),
        call,
        headers: headersOf(bearer, { 'accept-encoding': 'gzip', ...content?.headers }),
        body: content?.body,
        connectMs,
        signal: request.signal,
      });
      return await readJson(sent, { call, answerBytes, deadlineMs: request.deadlineMs ?? deadlineMs });
    });
  }

  return {
    get: (request) => json('GET', request),
    create: (request) => json('POST', request, contentOf(request.body, 'application/json')),
    patch: (request) => json('PATCH', request, contentOf(request.body, 'application/merge-patch+json')),
    update: (request) => json('PUT', request, contentOf(request.body, 'application/json')),
    apply: ({ fieldManager, ...request }) =>
      json(
        'PATCH',
        { ...request, query: { ...request.query, fieldManager, force: 'true' } },
        // Every JSON document is one of YAML.
        contentOf(request.body, 'application/apply-patch+yaml'),
      ),
    delete: (request) => json('DELETE', request),
    stream(request) {
      const call = { method: 'GET', path: request.path };
      return withToken(call, (bearer) => {
        const sent = exchange({
          agent,
          url: urlOf(config.server, request),
          call,
          headers: headersOf(bearer, { 'accept-encoding': 'identity' }),
          connectMs,
          signal: request.signal,
        });
        return openStream(sent, call, request);
      });
    },
    [Symbol.asyncDispose]() {
      agent.destroy();
      return Promise.resolve();
    },
  };
}

type Content = { readonly body: string; readonly headers: OutgoingHttpHeaders };

function identity({ ca, credentials }: ClusterConfig): { ca?: string; cert?: string; key?: string } {
  const certificate =
    credentials.kind === 'client-certificate' ? { cert: credentials.cert, key: credentials.key } : {};
  return { ...(ca === undefined ? {} : { ca }), ...certificate };
}

function contentOf(object: object, type: string): Content {
  const body = JSON.stringify(object);
  return { body, headers: { 'content-type': type, 'content-length': Buffer.byteLength(body) } };
}

function headersOf(bearer: string | undefined, others: OutgoingHttpHeaders): OutgoingHttpHeaders {
  const authorization = bearer === undefined ? {} : { authorization: `Bearer ${bearer}` };
  return { accept: 'application/json', 'user-agent': 'podcap', ...authorization, ...others };
}

/** The server's URL can have a path, as behind Rancher's proxy. */
function urlOf(server: URL, { path, query = {} }: Pick<ApiRequest, 'path' | 'query'>): URL {
  const url = new URL(server.pathname.replace(/\/$/, '') + path, server);
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined) url.searchParams.set(name, value);
  }
  return url;
}

type ReadLimits = { readonly call: Call; readonly answerBytes: number; readonly deadlineMs: number };

async function readJson(sent: Exchange, { call, answerBytes, deadlineMs }: ReadLimits): Promise<unknown> {
  const timer = setTimeout(
    () => sent.drop(deadlineError(call, `no answer within ${deadlineMs} ms`)),
    deadlineMs,
  );
  try {
    const response = await sent.response;
    if (!isSuccess(response)) throw await refusal(call, response);
    return parseJson(call, await readText(call, response, answerBytes));
  } catch (error) {
    throw sent.explain(error);
  } finally {
    clearTimeout(timer);
  }
}

async function openStream(
  sent: Exchange,
  call: Call,
  { responseMs, idleMs }: StreamRequest,
): Promise<ByteStream> {
  const timer = setTimeout(
    () => sent.drop(deadlineError(call, `no answer within ${responseMs} ms`)),
    responseMs,
  );
  try {
    const response = await sent.response;
    if (!isSuccess(response)) throw await refusal(call, response);
    return {
      [Symbol.asyncIterator]: () => chunks(sent, response, { call, idleMs }),
      [Symbol.asyncDispose]() {
        sent[Symbol.dispose]();
        return Promise.resolve();
      },
    };
  } catch (error) {
    sent[Symbol.dispose]();
    throw sent.explain(error);
  } finally {
    clearTimeout(timer);
  }
}

type Silence = { readonly call: Call; readonly idleMs: number };

async function* chunks(
  sent: Exchange,
  response: IncomingMessage,
  { call, idleMs }: Silence,
): AsyncGenerator<Buffer> {
  const reader: AsyncIterator<unknown> = response[Symbol.asyncIterator]();
  for (;;) {
    const silent = () =>
      sent.drop(new ApiError({ ...call, reason: 'Silent', message: `no bytes for ${idleMs} ms` }));
    const timer = setTimeout(silent, idleMs);
    const next = await reader
      .next()
      .catch((error: unknown) => {
        throw sent.explain(error);
      })
      .finally(() => clearTimeout(timer));
    if (next.done === true) return;
    if (Buffer.isBuffer(next.value)) yield next.value;
  }
}

function deadlineError(call: Call, message: string): ApiError {
  return new ApiError({ ...call, reason: 'DeadlineExceeded', message });
}
