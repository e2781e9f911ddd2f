import { once } from 'node:events';
import type { TLSSocket } from 'node:tls';
import { linkProtocol } from '../../link/protocol.ts';
import { type LinkRefusal, refuse } from './agent-identity.ts';
import { floodEnding } from './agent-session.ts';
import { connectionKey } from './link-admission.ts';
import type { LinkConduct } from './link-conduct.ts';
import { MalformedHello, readHello, writeWelcome } from './link-line.ts';
import { type LinkRun, runLink } from './run-link.ts';
import type { ReviewedToken } from './token-review.ts';

export type AgentServing = Omit<LinkRun, keyof IdentifiedAgent | 'socket'> & {
  /** Of the hub's program. */
  readonly version: string;
  readonly handshakeMs: number;
  readonly mostAgents: number;
  readonly isAccepting: () => boolean;
  readonly conduct: LinkConduct;
  readonly onRefused: (refusal: LinkRefusal, from: string | undefined) => void;
  /** `key`: of the connection. */
  readonly onAccepted: (key: string) => void;
};

/** Finds out who has connected, and uses the link until it ends, if it is one of an agent. Never rejects. */
export async function serveAgent(socket: TLSSocket, serving: AgentServing): Promise<void> {
  const from = socket.remoteAddress;
  const key = connectionKey(socket);
  const handshake = AbortSignal.any([serving.signal, AbortSignal.timeout(serving.handshakeMs)]);
  socket.on('error', () => {});
  socket.setNoDelay(true);
  try {
    if (socket.alpnProtocol !== linkProtocol) return;
    const agent = await identify(socket, serving, handshake);
    if (agent.kind === 'refused') {
      serving.onRefused(agent, from);
      await writeWelcome(socket, agent, handshake);
      socket.end();
      await once(socket, 'close', { signal: handshake });
      return;
    }
    await writeWelcome(socket, { kind: 'welcome', version: serving.version }, handshake);
    serving.onAccepted(key);
    const ending = await runLink({ ...serving, ...agent, socket });
    if (ending === floodEnding) serving.conduct.flooded(agent.identity.podUid);
  } catch (error) {
    if (error instanceof MalformedHello) serving.onRefused(refuse('Malformed', error.message), from);
    else if (!serving.signal.aborted)
      serving.log.debug({ from, problem: String(error) }, 'lost a connection');
  } finally {
    socket.destroy();
  }
}

type IdentifiedAgent = ReviewedToken & { readonly agentVersion: string };

async function identify(
  socket: TLSSocket,
  { isAccepting, reviews, registry, mostAgents, conduct }: AgentServing,
  signal: AbortSignal,
): Promise<IdentifiedAgent | LinkRefusal> {
  const hello = await readHello(socket, signal);
  if (!isAccepting()) return refuse('ShuttingDown', 'this hub is shutting down');
  const reviewed = await reviews.ofStranger(hello.token, signal);
  if (reviewed.kind === 'refused') return reviewed;
  if (registry.count() >= mostAgents) return refuse('TooManyAgents', `a hub takes ${mostAgents} agents`);
  const refusal = conduct.connect(reviewed.identity.podUid);
  if (refusal) return refusal;
  return { ...reviewed, agentVersion: hello.version };
}
