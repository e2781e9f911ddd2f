import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import * as v from 'valibot';
import type { CapturePhase } from '../../src/api/capture.ts';
import type { HubLinkEndpoint } from './simulated-agent.ts';
import type { AgentsOrder } from './simulated-agents-program.ts';

/** Many simulated agents in a process of their own. Times are milliseconds of the epoch. */
export type SimulatedAgents = AsyncDisposable & {
  /** Connects all of them; resolves when the hub has welcomed the last one. */
  readonly connect: () => Promise<void>;
  /** Lets one report a changed recording; returns when. */
  readonly change: (change: {
    readonly node: number;
    readonly recording: number;
    readonly phase: CapturePhase;
  }) => Promise<number>;
  /** Cuts all connections, as a network does. */
  readonly disconnect: () => Promise<void>;
};

/** Starts their process; connects none yet. */
export function startSimulatedAgents(
  hub: HubLinkEndpoint,
  { agents, recordings }: { readonly agents: number; readonly recordings: number },
): SimulatedAgents {
  const child = fork(join(import.meta.dirname, 'simulated-agents-program.ts'), [
    JSON.stringify({ hub, agents, recordings }),
  ]);
  const ended = once(child, 'exit');

  async function send(order: AgentsOrder): Promise<number> {
    const failed = ended.then(() => Promise.reject(new Error('the simulated agents have ended')));
    failed.catch(() => {});
    const replied = once(child, 'message');
    child.send(order);
    const [atMs] = v.parse(replySchema, await Promise.race([replied, failed]));
    return atMs;
  }

  return {
    async connect() {
      await send({ kind: 'connect' });
    },
    change: (change) => send({ kind: 'change', ...change }),
    async disconnect() {
      await send({ kind: 'disconnect' });
    },
    async [Symbol.asyncDispose]() {
      if (child.connected) child.disconnect();
      await ended;
    },
  };
}

const replySchema = v.tuple([v.number()], 'a time was expected');
