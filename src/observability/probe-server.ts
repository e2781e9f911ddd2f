import { createServer } from 'node:net';
import type { Logger } from 'pino';
import { boundedServer } from '../base/bounded-server.ts';
import { answerOneRequest, type RouteResponse } from './http-routes.ts';

/** The kubelet's routes, on a port with nothing else. They reveal nothing secret. */
export type Probes = AsyncDisposable & { readonly port: number };

export type ProbeOptions = {
  readonly port: number;
  /** Empty while the process does its work. Never depends on the API server. */
  readonly stuckWork: () => readonly string[];
  /** Empty when the process is ready. Never depends on the API server once it was. */
  readonly unreadyReasons: () => readonly string[];
  readonly log: Logger;
};

/** A probe takes milliseconds, and the kubelet has no more than three connections at a time. */
const bounds = { connections: 64, perAddress: 8, lifetimeMs: 5_000 };

/**
 * Serves /healthz, which fails if the process is stuck and has to be started again, and /readyz, which answers why the
 * process is not ready. Throws if the port is taken.
 */
export async function serveProbes({ port, stuckWork, unreadyReasons, log }: ProbeOptions): Promise<Probes> {
  let wasStuck = false;
  const routes = {
    '/healthz'() {
      const stuck = stuckWork();
      const isStuck = stuck.length > 0;
      // The kubelet does not say what the answer was.
      if (isStuck && !wasStuck) log.error({ stuck }, 'process is stuck');
      wasStuck = isStuck;
      return okUnless(stuck);
    },
    '/readyz': () => okUnless(unreadyReasons()),
  };
  const server = boundedServer(
    createServer((socket) => answerOneRequest(socket, routes)),
    bounds,
  );
  return { port: await server.listen(port), [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
}

function okUnless(problems: readonly string[]): RouteResponse {
  return problems.length === 0
    ? { status: 200, body: 'ok\n' }
    : { status: 503, body: `${problems.join('\n')}\n` };
}
