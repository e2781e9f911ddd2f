import type { TLSSocket } from 'node:tls';
import type { Log } from '../../kubernetes/logger.ts';
import type { AgentRegistry } from './agent-registry.ts';
import { type ReceiveReports, readReports } from './agent-reports.ts';
import { openAgentSession, type PingTimes } from './agent-session.ts';
import { connectedAgent } from './connected-agent.ts';
import { keepTokenFresh } from './link-token.ts';
import type { ReviewedToken, TokenReviews } from './token-review.ts';
import type { TokenTimes } from './token-step.ts';

export type LinkRun = ReviewedToken & {
  readonly socket: TLSSocket;
  /** Of the agent's program. */
  readonly agentVersion: string;
  readonly registry: AgentRegistry;
  readonly reviews: TokenReviews;
  readonly receiveReports: ReceiveReports;
  readonly onMalformed: () => void;
  readonly ping?: PingTimes;
  readonly tokenTimes?: TokenTimes;
  readonly log: Log;
  readonly signal: AbortSignal;
};

/**
 * Uses the connection of an accepted agent until it ends: the agent's reports are read, its token is kept fresh, and
 * others send it requests by the registry. Resolves with why it has ended when nothing of the link is left.
 */
export async function runLink(run: LinkRun): Promise<string> {
  const { identity, registry, log } = run;
  const over = new AbortController();
  const signal = AbortSignal.any([run.signal, over.signal]);
  let ended = 'ShuttingDown';
  const end = (why: string) => {
    if (!signal.aborted) ended = why;
    over.abort();
  };
  /** What fails because the session has ended says less than why that has. */
  const endWork = (why: string) => {
    if (!session.destroyed) end(why);
  };
  const closed = Promise.withResolvers<void>();
  const onEnd = (why: string) => {
    end(why);
    closed.resolve();
  };
  const {
    session,
    end: endSession,
    onData,
  } = openAgentSession({
    socket: run.socket,
    onEnd,
    ...(run.ping && { ping: run.ping }),
  });
  signal.addEventListener('abort', endSession, { once: true });
  if (signal.aborted) endSession();
  const link = connectedAgent({ identity, version: run.agentVersion, session, onData });
  using _registered = registry.add(link, end);
  const { node, podName } = link;
  log.info({ node, agent: podName, version: run.agentVersion }, 'an agent connected');
  const times = run.tokenTimes && { times: run.tokenTimes };
  const receiver = run.receiveReports(link);
  try {
    const work = [
      readReports({ ...run, link, receiver, signal }).then(endWork),
      keepTokenFresh({ ...run, ...times, link, token: run, review: run.reviews.ofAgent, signal }).then(
        ({ reason }) => endWork(reason),
      ),
    ];
    // Their errors after the end are those of the end.
    await Promise.all(work.map((each) => each.catch((error: unknown) => endWork(String(error)))));
    await closed.promise;
    return ended;
  } finally {
    receiver.disconnected();
    log.info({ node, agent: podName, reason: ended }, 'an agent has gone');
  }
}
