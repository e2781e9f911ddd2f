import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import * as v from 'valibot';
import { kubectl } from '../../end-to-end/support/run-kubectl.ts';
import type { ClusterConfig } from '../../src/kubernetes/client-config.ts';
import { run } from '../../src/testbed/run-program.ts';

/** Watches as the agents of these Nodes make them, with the rights of the agents' ServiceAccount. */
export type Watchers = AsyncDisposable & {
  /** Starts all watches at once; resolves when the last one has its list. */
  readonly start: () => Promise<void>;
  /** The same with each agent's watch of CapturePolicies. */
  readonly startPolicies: () => Promise<void>;
  readonly stop: () => Promise<void>;
  /** How many changes all watches together have delivered so far. */
  readonly changes: () => Promise<number>;
  /** How many bytes all their connections have received so far. */
  readonly receivedBytes: () => Promise<number>;
};

/** Starts the process in which the watches will run; starts no watch yet. */
export async function startWatchers(
  { server, ca }: Pick<ClusterConfig, 'server' | 'ca'>,
  nodes: readonly string[],
): Promise<Watchers> {
  const token = await kubectl('-n', 'kube-system', 'create', 'token', 'podcap', '--duration=6h');
  const child = fork(join(import.meta.dirname, 'watchers-program.ts'), [
    JSON.stringify({ server, ca, token, nodes }),
  ]);
  const ended = once(child, 'exit');
  const receivedByConnection = new Map<string, number>();

  async function send(order: 'start' | 'startPolicies' | 'stop' | 'count'): Promise<number> {
    const failed = ended.then(() => Promise.reject(new Error('the watchers have ended')));
    failed.catch(() => {});
    const replied = once(child, 'message');
    child.send(order);
    const [result] = v.parse(replySchema, await Promise.race([replied, failed]));
    return result;
  }

  return {
    async start() {
      await send('start');
    },
    async startPolicies() {
      await send('startPolicies');
    },
    async stop() {
      await send('stop');
    },
    changes: () => send('count'),
    async receivedBytes() {
      // A closed connection stays in the sum with its last known value.
      for (const [connection, bytes] of connectionsOf(await run(['ss', '-tinHOp']), child.pid ?? 0))
        receivedByConnection.set(connection, bytes);
      return [...receivedByConnection.values()].reduce((sum, bytes) => sum + bytes, 0);
    },
    async [Symbol.asyncDispose]() {
      if (child.connected) child.disconnect();
      await ended;
    },
  };
}

const replySchema = v.tuple([v.number()], 'a number was expected');

/** Bytes received by each connection of a process, by local address, from the lines of `ss -tinHOp` (ss(8)). */
export function connectionsOf(table: string, pid: number): ReadonlyMap<string, number> {
  const lines = table.split('\n').filter((line) => line.includes(`pid=${pid},`));
  return new Map(
    lines.map((line) => [line.split(/\s+/)[3] ?? '', Number(/ bytes_received:(\d+)/.exec(line)?.[1] ?? 0)]),
  );
}
