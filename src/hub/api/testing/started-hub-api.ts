import { once } from 'node:events';
import type { IncomingMessage, OutgoingHttpHeaders } from 'node:http';
import { request as httpsRequest, type RequestOptions } from 'node:https';
import { createInterface } from 'node:readline';
import { buffer } from 'node:stream/consumers';
import { authority, type Certificate } from '../../../kubernetes/testing/certificate.ts';
import { type Line, memoryLog } from '../../../kubernetes/testing/memory-logger.ts';
import type { Access, Caller, ResourceAttributes } from '../../access/access.ts';
import { frontProxy } from '../../access/front-proxy.ts';
import { readFrontProxyTrust } from '../../access/front-proxy-trust.ts';
import type { ApiAnswered } from '../api-handler.ts';
import { type HubApi, type HubApiOptions, startHubApi } from '../hub-api.ts';
import { type StatusError, statusError } from '../status-error.ts';
import { type MemoryCaptures, memoryCaptures } from './memory-captures.ts';

/** The API on a free port, and clients of it that present the API server's certificate. */
export type StartedHubApi = AsyncDisposable & {
  readonly api: HubApi;
  readonly captures: MemoryCaptures;
  readonly logged: readonly Line[];
  readonly answered: readonly ApiAnswered[];
  /** What was asked for and of whom, oldest first. */
  readonly authorized: readonly (ResourceAttributes & { readonly caller: Caller })[];
  readonly ask: (path: string, options?: AskOptions) => Promise<Answer>;
  /** Resolves to an answer whose body is read line by line. */
  readonly watch: (path: string, options?: AskOptions) => Promise<OpenWatch>;
};

export type AskOptions = {
  readonly method?: string;
  readonly accept?: string;
  readonly headers?: OutgoingHttpHeaders;
  readonly body?: string;
  /** Authority that the hub's certificate must have, in PEM. */
  readonly ca?: string;
  /** Undefined: the API server's; `none`: without one. */
  readonly certificate?: Certificate | 'none';
};

export type Answer = {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly bytes: Buffer;
  readonly text: string;
  readonly json: unknown;
};

export type OpenWatch = AsyncDisposable & {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  /** The next event; undefined once the answer has ended. */
  readonly next: () => Promise<unknown>;
  /** Whether it was ended, and not cut; resolves once it is over. */
  readonly isComplete: () => Promise<boolean>;
};

const [hubAuthority, frontAuthority] = await Promise.all([authority('hub-ca'), authority('front-proxy-ca')]);
const [hubCertificate, apiServerCertificate] = await Promise.all([
  hubAuthority.sign('server'),
  frontAuthority.sign('client', { name: 'front-proxy-client' }),
]);

/** A certificate for the hub of another authority, and that authority. */
export async function otherIdentity(): Promise<Certificate & { readonly ca: string }> {
  const other = await authority('next-hub-ca');
  return { ...(await other.sign('server')), ca: other.cert };
}

export const clientCa = frontAuthority.cert;

/** Starts the API as the hub does, with captures in memory, and callers who may do everything unless `forbid` says no. */
export async function startedHubApi({
  captures = memoryCaptures(),
  forbid = () => undefined,
  namespaces = {},
  ...options
}: Partial<Omit<HubApiOptions, 'namespaces'>> & {
  readonly namespaces?: Partial<HubApiOptions['namespaces']>;
  readonly captures?: MemoryCaptures;
  readonly forbid?: (attributes: ResourceAttributes) => StatusError | undefined;
} = {}): Promise<StartedHubApi> {
  const log = memoryLog();
  const answered: ApiAnswered[] = [];
  const authorized: (ResourceAttributes & { readonly caller: Caller })[] = [];
  const trust = readFrontProxyTrust({
    'requestheader-client-ca-file': frontAuthority.cert,
    'requestheader-allowed-names': '["front-proxy-client"]',
    'requestheader-username-headers': '["X-Remote-User"]',
    'requestheader-group-headers': '["X-Remote-Group"]',
  });
  if (trust.kind === 'problem') throw new Error(trust.message);
  const access: Access = {
    identify: frontProxy({ trust: () => trust, onRefusal: () => {} }),
    async authorize(caller, attributes) {
      authorized.push({ ...attributes, caller });
      return await Promise.resolve(forbid(attributes));
    },
  };
  const api = await startHubApi({
    port: 0,
    tls: { ...hubCertificate, clientCa },
    graceMs: 2_000,
    captures,
    access,
    namespaces: {
      visible: async (all) => await Promise.resolve({ captures: all, unchecked: [] }),
      ageOf: async () => await Promise.resolve({ kind: 'created', atMs: 0 }),
      ...namespaces,
    },
    subresources: async () => await Promise.resolve(statusError('NotFound', 'not in this test')),
    notReady: () => undefined,
    version: '0.1.0',
    log,
    onAnswered: (each) => answered.push(each),
    ...options,
  });
  return {
    api,
    captures,
    logged: log.lines,
    answered,
    authorized,
    ask: async (path, asked) => await answerOf(await send(api.port, path, asked)),
    watch: async (path, asked) => openWatch(await send(api.port, path, asked)),
    [Symbol.asyncDispose]: async () => await api[Symbol.asyncDispose](),
  };
}

const jane = { 'x-remote-user': 'jane', 'x-remote-group': ['developers', 'testers'] };

/** How the API server connects, and speaks for user jane. */
export function clientOptions(port: number): RequestOptions {
  return { host: '127.0.0.1', port, ca: hubAuthority.cert, ...apiServerCertificate, headers: jane };
}

/** Sends a request as the API server does. */
export async function send(
  port: number,
  path: string,
  { method = 'GET', accept, headers, body, certificate, ca = hubAuthority.cert }: AskOptions = {},
): Promise<IncomingMessage> {
  const { cert, key, ...target } = clientOptions(port);
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const request = httpsRequest({
    ...target,
    path,
    method,
    ca,
    agent: false,
    ...(certificate !== 'none' && (certificate ?? { cert, key })),
    headers: {
      ...jane,
      ...(accept !== undefined && { accept }),
      ...(body !== undefined && {
        'content-type': 'application/json',
        'content-length': Buffer.byteLength(body),
      }),
      ...headers,
    },
  });
  request.on('response', resolve).on('error', reject).end(body);
  return await promise;
}

async function answerOf(message: IncomingMessage): Promise<Answer> {
  const bytes = await buffer(message);
  const { statusCode: status = 0, headers } = message;
  const text = bytes.toString();
  return {
    status,
    headers,
    bytes,
    text,
    get json(): unknown {
      return JSON.parse(text);
    },
  };
}

function openWatch(message: IncomingMessage): OpenWatch {
  const lines = createInterface({ input: message })[Symbol.asyncIterator]();
  const closed = once(message, 'close').catch(() => {});
  return {
    status: message.statusCode ?? 0,
    headers: message.headers,
    async next() {
      const line = await lines.next();
      return line.done ? undefined : JSON.parse(line.value);
    },
    async isComplete() {
      message.resume();
      await closed;
      return message.complete;
    },
    async [Symbol.asyncDispose]() {
      message.destroy();
      await closed;
    },
  };
}
