import { createServer, type Server } from 'node:tls';
import type { Log } from '../../kubernetes/logger.ts';
import { linkProtocol } from '../../link/protocol.ts';
import type { LinkRefusalReason } from './agent-identity.ts';
import type { ConnectedAgents } from './agent-link.ts';
import { agentRegistry } from './agent-registry.ts';
import type { ReceiveReports } from './agent-reports.ts';
import type { PingTimes } from './agent-session.ts';
import { type AdmissionBounds, defaultAdmission, linkAdmission } from './link-admission.ts';
import { linkConduct } from './link-conduct.ts';
import { refusedAgents } from './refused-agents.ts';
import { type AgentServing, serveAgent } from './serve-agent.ts';
import type { TokenReviews } from './token-review.ts';
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
  readonly reviews: TokenReviews;
  readonly receiveReports: ReceiveReports;
  /** Of the hub's program. */
  readonly version: string;
  readonly log: Log;
  readonly admission?: AdmissionBounds;
  readonly ping?: PingTimes;
  readonly tokenTimes?: TokenTimes;
  readonly mostAgents?: number;
};

/** The server that accepts agents: TLS, one line that says who connects, and then a link. */
export function linkServer(options: LinkServerOptions): LinkServer {
  const { certificate, log, admission: bounds = defaultAdmission, mostAgents = 10_000 } = options;
  const registry = agentRegistry();
  const admission = linkAdmission(bounds);
  const ending = new AbortController();
  const running = new Set<Promise<void>>();
  const counters = { accepted: 0, malformedReports: 0 };
  const refused = refusedAgents(log);
  let isAccepting = true;
  const serving: AgentServing = {
    ...options,
    registry,
    handshakeMs: bounds.handshakeMs,
    mostAgents,
    isAccepting: () => isAccepting,
    conduct: linkConduct(),
    onRefused: refused.count,
    onAccepted(key) {
      admission.identified(key);
      counters.accepted += 1;
    },
    onMalformed() {
      counters.malformedReports += 1;
    },
    signal: ending.signal,
  };
  const server = createServer({
    ...certificate,
    minVersion: 'TLSv1.3',
    ALPNProtocols: [linkProtocol],
    handshakeTimeout: bounds.handshakeMs,
  });
  server.on('connection', admission.arrive);
  server.on('tlsClientError', (_error, socket) => socket.destroy());
  server.on('secureConnection', (socket) => {
    const served = serveAgent(socket, serving).finally(() => running.delete(served));
    running.add(served);
  });

  return {
    agents: registry,
    listen: (port, host) => listenOn(server, port, host),
    setCertificate: ({ cert, key }) => server.setSecureContext({ cert, key, minVersion: 'TLSv1.3' }),
    counts: () => ({ connected: registry.count(), ...counters, refused: refused.counts }),
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

async function listenOn(server: Server, port: number, host: string | undefined): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    // Stays registered: without a listener, an error while a connection is accepted later would end the process.
    server.on('error', reject);
    server.listen({ port, ...(host !== undefined && { host }) }, resolve);
  });
  const address = server.address();
  return typeof address === 'object' && address ? address.port : port;
}
