import { once } from 'node:events';
import { createServer, type TLSSocket } from 'node:tls';
import { rateLimiter } from '../../base/rate-limiter.ts';
import type { Log } from '../../kubernetes/logger.ts';
import { linkProtocol } from '../../link/protocol.ts';
import { type LinkRefusal, type LinkRefusalReason, refuse } from './agent-identity.ts';
import type { ConnectedAgents } from './agent-link.ts';
import { agentRegistry } from './agent-registry.ts';
import type { ReceiveReports } from './agent-reports.ts';
import type { PingTimes } from './agent-session.ts';
import { type AdmissionBounds, connectionKey, defaultAdmission, linkAdmission } from './link-admission.ts';
import { MalformedHello, readHello, writeWelcome } from './link-line.ts';
import { runLink } from './run-link.ts';
import type { ReviewToken } from './token-review.ts';
import type { TokenTimes } from './token-step.ts';

/** Where agents connect. Disposing of it ends every link. */
export type LinkServer = AsyncDisposable & {
  /** Returns the port, a free one for 0. Throws if the port is taken. */
  readonly listen: (port: number, host?: string) => Promise<number>;
  /** For connections from now on. */
  readonly setCertificate: (certificate: LinkCertificate) => void;
  readonly agents: ConnectedAgents;
  readonly counts: () => LinkServerCounts;
  /** Agents that connect from now on are refused; links stay until the server is disposed of. */
  readonly stopAccepting: () => void;
};

/** In PEM. */
export type LinkCertificate = { readonly cert: string; readonly key: string };

export type LinkServerCounts = {
  /** Now. */
  readonly connected: number;
  /** Since the start. */
  readonly accepted: number;
  readonly refused: ReadonlyMap<LinkRefusalReason, number>;
  /** Lines of reports that were skipped. */
  readonly malformedReports: number;
};

export type LinkServerOptions = {
  readonly certificate: LinkCertificate;
  readonly review: ReviewToken;
  readonly receiveReports: ReceiveReports;
  /** Of the hub's program. */
  readonly version: string;
  readonly log: Log;
  readonly admission?: AdmissionBounds;
  readonly ping?: PingTimes;
  readonly tokenTimes?: TokenTimes;
  readonly mostAgents?: number;
};

/** Lines about refused agents: anybody who reaches the port can cause one. */
const refusalLogRate = { burst: 20, everyMs: 3_000 } as const;

/** The server that accepts agents: TLS, one line that says who connects, and then a link. */
export function linkServer(options: LinkServerOptions): LinkServer {
  const { certificate, log, admission: bounds = defaultAdmission, mostAgents = 10_000 } = options;
  const registry = agentRegistry();
  const admission = linkAdmission(bounds);
  const ending = new AbortController();
  const running = new Set<Promise<void>>();
  const refused = new Map<LinkRefusalReason, number>();
  const logLimiter = rateLimiter(refusalLogRate);
  let accepted = 0;
  let malformedReports = 0;
  let isAccepting = true;
  const server = createServer({
    ...certificate,
    minVersion: 'TLSv1.3',
    ALPNProtocols: [linkProtocol],
    handshakeTimeout: bounds.handshakeMs,
  });
  server.on('connection', admission.arrive);
  server.on('tlsClientError', (_error, socket) => socket.destroy());
  server.on('secureConnection', (socket) => {
    const serving = serve(socket).finally(() => running.delete(serving));
    running.add(serving);
  });

  function countRefusal({ reason, message }: LinkRefusal, from: string | undefined): void {
    refused.set(reason, (refused.get(reason) ?? 0) + 1);
    if (logLimiter.waitMs() > 0) return;
    logLimiter.take();
    log.warn({ from, reason, message }, 'refused an agent');
  }

  async function identify(socket: TLSSocket, signal: AbortSignal) {
    const hello = await readHello(socket, signal);
    if (!isAccepting) return refuse('ShuttingDown', 'this hub is shutting down');
    const reviewed = await options.review(hello.token, signal);
    if (reviewed.kind === 'refused') return reviewed;
    if (registry.count() >= mostAgents) return refuse('TooManyAgents', `a hub takes ${mostAgents} agents`);
    return { ...reviewed, version: hello.version };
  }

  /** Never rejects. */
  async function serve(socket: TLSSocket): Promise<void> {
    const from = socket.remoteAddress;
    const key = connectionKey(socket);
    const handshake = AbortSignal.any([ending.signal, AbortSignal.timeout(bounds.handshakeMs)]);
    socket.on('error', () => {});
    socket.setNoDelay(true);
    try {
      if (socket.alpnProtocol !== linkProtocol) return;
      const agent = await identify(socket, handshake);
      if (agent.kind === 'refused') {
        countRefusal(agent, from);
        await writeWelcome(socket, agent, handshake);
        socket.end();
        await once(socket, 'close', { signal: handshake });
        return;
      }
      await writeWelcome(socket, { kind: 'welcome', version: options.version }, handshake);
      admission.identified(key);
      accepted += 1;
      const onMalformed = () => {
        malformedReports += 1;
      };
      await runLink({ ...options, ...agent, socket, registry, onMalformed, signal: ending.signal });
    } catch (error) {
      if (error instanceof MalformedHello) countRefusal(refuse('Malformed', error.message), from);
      else if (!ending.signal.aborted) log.debug({ from, problem: String(error) }, 'lost a connection');
    } finally {
      socket.destroy();
    }
  }

  return {
    agents: registry,
    async listen(port, host) {
      await new Promise<void>((resolve, reject) => {
        // Stays registered: without a listener, an error while a connection is accepted later would end the process.
        server.on('error', reject);
        server.listen({ port, ...(host !== undefined && { host }) }, resolve);
      });
      const address = server.address();
      return typeof address === 'object' && address ? address.port : port;
    },
    setCertificate: ({ cert, key }) => server.setSecureContext({ cert, key, minVersion: 'TLSv1.3' }),
    counts: () => ({ connected: registry.count(), accepted, refused, malformedReports }),
    stopAccepting() {
      isAccepting = false;
    },
    async [Symbol.asyncDispose]() {
      const closed = new Promise((resolve) => server.close(resolve));
      ending.abort();
      admission.disconnectAll();
      await Promise.all(running);
      await closed;
    },
  };
}
