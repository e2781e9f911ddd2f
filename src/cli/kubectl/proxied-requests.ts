import { Agent, type ClientRequest, type IncomingMessage, request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { onAbort } from '../../base/on-abort.ts';
import { exitCodes } from '../../commands/terminal.ts';
import type { ClusterAnswer, ClusterRequest } from '../api/cluster.ts';
import { UnreachableServer } from '../api/unreachable-server.ts';
import { warningTexts } from '../api/warning-texts.ts';
import { CommandFailure } from '../cli-command.ts';
import type { KubectlProxy } from './kubectl-proxy.ts';
import { proxyRefusal } from './proxy-refusal.ts';

/** Sends requests through kubectl proxy; see `Cluster.request`. Disposing of it closes all connections. */
export type ProxiedRequests = Disposable & {
  readonly send: (request: ClusterRequest) => Promise<ClusterAnswer>;
};

export type AnswerLimits = {
  /** What --request-timeout says. */
  readonly requestedMs: number | undefined;
  readonly defaultMs?: number;
};

/** What the API server waits for longest itself, unless a request says otherwise. */
const defaultAnswerMs = 60_000;

/** Limits the wait for an answer once the API server has answered at all: before, a login can wait for a person. */
export function proxiedRequests(
  proxy: KubectlProxy,
  { requestedMs, defaultMs = defaultAnswerMs }: AnswerLimits,
): ProxiedRequests {
  const agent = new Agent({ keepAlive: true });
  const limit: AnswerLimit =
    requestedMs === undefined
      ? { ms: defaultMs, name: '' }
      : { ms: requestedMs, name: 'the --request-timeout of ' };
  let hasAnswered = false;
  return {
    async send(wanted) {
      wanted.signal.throwIfAborted();
      const sent = sendRequest(wanted, { agent, socketPath: proxy.socketPath });
      const response = await head(sent, { wanted, proxy, limit: hasAnswered ? limit : undefined });
      const refusal = await proxyRefusal(response, wanted.path);
      if (refusal) throw refusal;
      hasAnswered = true;
      return answerOf(response, wanted.signal);
    },
    [Symbol.dispose]: () => agent.destroy(),
  };
}

type AnswerLimit = { readonly ms: number; readonly name: string };

function sendRequest(
  { method = 'GET', path, accept = 'application/json', body, contentType }: ClusterRequest,
  connection: { readonly agent: Agent; readonly socketPath: string },
): ClientRequest {
  const text = body === undefined ? undefined : JSON.stringify(body);
  const type = contentType ?? (method === 'PATCH' ? 'application/merge-patch+json' : 'application/json');
  const content =
    text === undefined ? {} : { 'content-type': type, 'content-length': Buffer.byteLength(text) };
  const headers = { host: 'localhost', accept, 'user-agent': 'kubectl-podcap', ...content };
  const sent = request({ ...connection, method, path, headers });
  // Also of a request that nobody waits for any more.
  sent.on('error', () => {});
  sent.end(text);
  return sent;
}

type Waiting = {
  readonly wanted: ClusterRequest;
  readonly proxy: KubectlProxy;
  readonly limit: AnswerLimit | undefined;
};

/**
 * The head of the answer. A request that is given up is not taken back, because kubectl would log that: its answer is
 * dropped when it comes.
 */
async function head(sent: ClientRequest, { wanted, proxy, limit }: Waiting): Promise<IncomingMessage> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  let isGivenUp = false;
  const giveUp = (reason: unknown) => {
    isGivenUp = true;
    reject(reason);
  };
  using _ = onAbort(wanted.signal, () => giveUp(wanted.signal.reason));
  const timer = limit && setTimeout(() => giveUp(silentServer(limit)), limit.ms);
  sent.once('response', (response) => {
    if (isGivenUp) response.destroy();
    else resolve(response);
  });
  sent.once('error', reject);
  try {
    return await promise;
  } catch (cause) {
    throw isGivenUp ? cause : await connectionFailure(cause, proxy, wanted.signal);
  } finally {
    clearTimeout(timer);
  }
}

function silentServer({ ms, name }: AnswerLimit): UnreachableServer {
  return new UnreachableServer(`it has not answered within ${name}${ms / 1_000} s`);
}

/** What to throw when the connection to kubectl breaks off. */
async function connectionFailure(cause: unknown, proxy: KubectlProxy, signal: AbortSignal): Promise<unknown> {
  // The end of a process is known a moment after that of its connections.
  const end = await Promise.race([proxy.ended, sleep(1_000, undefined, { ref: false })]);
  // Ctrl-C reaches all processes of the terminal.
  if (signal.aborted) return signal.reason;
  const how = end?.how ?? String(cause);
  return new CommandFailure(`kubectl proxy does not answer any more: ${how}`, exitCodes.failed, { cause });
}

function answerOf(response: IncomingMessage, signal: AbortSignal): ClusterAnswer {
  const aborting = onAbort(signal, () => response.destroy(errorOf(signal.reason)));
  // Until somebody reads it.
  response.on('error', () => {});
  response.once('close', () => aborting[Symbol.dispose]());
  return {
    status: response.statusCode ?? 0,
    contentType: response.headers['content-type'],
    warnings: warningTexts(response.headersDistinct['warning'] ?? []),
    date: response.headers.date,
    body: response,
  };
}

function errorOf(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error(String(reason));
}
