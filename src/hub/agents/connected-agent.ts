import type {
  ClientHttp2Session,
  ClientHttp2Stream,
  IncomingHttpHeaders,
  IncomingHttpStatusHeader,
  OutgoingHttpHeaders,
} from 'node:http2';
import type { Readable } from 'node:stream';
import { bodyOf } from './agent-answer.ts';
import type { AgentIdentity } from './agent-identity.ts';
import { type AgentLink, type AgentRequest, type AgentResponse, AgentUnavailable } from './agent-link.ts';

export type AgentConnection = {
  readonly identity: AgentIdentity;
  readonly version: string;
  readonly session: ClientHttp2Session;
  /** Told of the bytes of its answers as they come, less what the frames around them cost. */
  readonly onData: (bytes: number) => void;
};

/** Requests to one agent at the same time; more are refused, so that those of the hub itself never wait for long. */
const requestsAtOnce = 128;

/** The link to an agent over an HTTP/2 session in which the hub is the client. */
export function connectedAgent({ identity, version, session, onData }: AgentConnection): AgentLink {
  const { node } = identity;
  let open = 0;
  return {
    ...identity,
    version,
    connectedMs: performance.now(),
    async request(request) {
      if (session.closed || session.destroyed)
        throw new AgentUnavailable(`the agent of Node ${node} has gone`);
      if (open >= requestsAtOnce)
        throw new AgentUnavailable(`the agent of Node ${node} has too many requests`);
      const stream = send(session, request, node);
      open += 1;
      stream.once('close', () => {
        open -= 1;
      });
      return await answerOf(stream, bodyOf(stream, node, onData), { ...request, node });
    },
  };
}

function send(session: ClientHttp2Session, request: AgentRequest, node: string): ClientHttp2Stream {
  const { method, headers, signal } = request;
  signal.throwIfAborted();
  const head: OutgoingHttpHeaders = { ...headers, ':method': method, ':path': pathOf(request) };
  try {
    return session.request(head, { endStream: true });
  } catch (cause) {
    throw new AgentUnavailable(`the agent of Node ${node} takes no requests`, { cause });
  }
}

function pathOf({ path, query = {} }: AgentRequest): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value !== undefined) parameters.set(name, value);
  return parameters.size === 0 ? path : `${path}?${parameters.toString()}`;
}

async function answerOf(
  stream: ClientHttp2Stream,
  body: Readable,
  { signal, responseMs, node }: AgentRequest & { readonly node: string },
): Promise<AgentResponse> {
  // Until somebody reads it, nobody else listens.
  body.on('error', () => {});
  const abort = () => body.destroy(errorOf(signal.reason));
  signal.addEventListener('abort', abort, { once: true });
  stream.once('close', () => signal.removeEventListener('abort', abort));
  const timer = setTimeout(
    () =>
      body.destroy(new AgentUnavailable(`the agent of Node ${node} does not answer within ${responseMs} ms`)),
    responseMs,
  );
  const { promise, resolve, reject } = Promise.withResolvers<AgentResponse>();
  body.once('error', reject);
  stream.once('response', (headers) => resolve({ ...parseHead(headers), body }));
  return await promise.finally(() => clearTimeout(timer));
}

function parseHead(headers: IncomingHttpHeaders & IncomingHttpStatusHeader): Omit<AgentResponse, 'body'> {
  return { status: headers[':status'] ?? 0, contentType: headers['content-type'] ?? '' };
}

function errorOf(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error('aborted', { cause: reason });
}
