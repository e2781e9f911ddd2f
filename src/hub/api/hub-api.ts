import { createServer, type Server } from 'node:https';
import type { SecureContextOptions } from 'node:tls';
import { frontProxyTls } from '../access/front-proxy.ts';
import {
  type ApiConnectionBounds,
  type ApiConnections,
  apiConnections,
  defaultApiConnectionBounds,
} from './api-connections.ts';
import { type ApiHandler, type ApiHandlerOptions, apiHandler } from './api-handler.ts';
import { defaultCallLimits } from './open-calls.ts';

/** The API as the API server reaches it. Disposing of it ends watches cleanly, cuts streams, and lets short requests end. */
export type HubApi = AsyncDisposable & {
  readonly port: number;
  /** Serves another certificate from now on, or trusts other authorities of clients. */
  readonly setTls: (tls: HubApiTls) => void;
};

/** In PEM. */
export type HubApiTls = {
  readonly cert: string;
  readonly key: string;
  /** Of the API server's client certificates; empty: none is trusted. */
  readonly clientCa: string;
};

export type HubApiOptions = Omit<ApiHandlerOptions, 'limits' | 'connections'> & {
  /** 0: a free one. */
  readonly port: number;
  readonly tls: HubApiTls;
  /** How long requests may go on after the end has begun. */
  readonly graceMs: number;
  readonly bounds?: Partial<ApiConnectionBounds>;
  readonly limits?: ApiHandlerOptions['limits'];
};

const timeouts = {
  handshakeMs: 10_000,
  /** Of the head of a request. */
  headersMs: 10_000,
  /** Of its body too: a few bytes of a DELETE. */
  requestMs: 30_000,
  /** kube-apiserver closes idle connections after 90 s: it must be the first, or a request could meet a closed one. */
  keepAliveMs: 120_000,
  keepAliveProbeMs: 30_000,
} as const;

/** A user may be in hundreds of groups, and each is a header. */
const maxHeaderBytes = 64 * 1024;

/** Starts the server. Throws if the port is taken. */
export async function startHubApi(options: HubApiOptions): Promise<HubApi> {
  const { port, tls, graceMs, bounds, limits = defaultCallLimits, ...parts } = options;
  // HTTP/1.1 alone: over one connection of HTTP/2, the API server's requests would wait for each other.
  const server = createServer({
    ...secureOptions(tls),
    ALPNProtocols: ['http/1.1'],
    handshakeTimeout: timeouts.handshakeMs,
    headersTimeout: timeouts.headersMs,
    requestTimeout: timeouts.requestMs,
    keepAliveTimeout: timeouts.keepAliveMs,
    connectionsCheckingInterval: 5_000,
    maxHeaderSize: maxHeaderBytes,
    keepAlive: true,
    keepAliveInitialDelay: timeouts.keepAliveProbeMs,
  });
  // All that fit into maxHeaderSize: Node.js drops others silently, and with them groups of the user.
  server.maxHeadersCount = 0;
  const connections = apiConnections(server, { ...defaultApiConnectionBounds, ...bounds });
  const handler = apiHandler({ ...parts, limits, connections });
  server.on('request', (request, response) => {
    // A client that resets its connection is no failure of ours.
    response.on('error', () => {});
    handler.handle(request, response);
  });
  await listen(server, port);
  const address = server.address();
  return {
    port: typeof address === 'object' && address ? address.port : port,
    setTls: (next) => server.setSecureContext(secureOptions(next)),
    [Symbol.asyncDispose]: async () => await end({ server, connections, handler }, graceMs),
  };
}

function secureOptions({ cert, key, clientCa }: HubApiTls): SecureContextOptions & typeof frontProxyTls {
  // Without any `ca`, Node.js would trust every public authority.
  return { ...frontProxyTls, cert, key, ca: clientCa === '' ? [] : [clientCa], minVersion: 'TLSv1.2' };
}

async function listen(server: Server, port: number): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    // Stays registered: without a listener, an error while a connection is accepted later would end the process.
    server.on('error', reject);
    server.listen(port, resolve);
  });
}

type ServedApi = {
  readonly server: Server;
  readonly connections: ApiConnections;
  readonly handler: ApiHandler;
};

/** Stops accepting at once. What is still open after the grace is cut. */
async function end({ server, connections, handler }: ServedApi, graceMs: number): Promise<void> {
  const closed = new Promise((resolve) => server.close(resolve));
  const { promise: graceIsOver, resolve } = Promise.withResolvers<void>();
  const grace = setTimeout(resolve, graceMs);
  await Promise.race([handler.end(), graceIsOver]);
  // A connection is idle only when its last answer has been read.
  const idle = setInterval(() => server.closeIdleConnections(), 20);
  await Promise.race([closed, graceIsOver]);
  clearInterval(idle);
  clearTimeout(grace);
  connections.resetAll();
  await closed;
}
