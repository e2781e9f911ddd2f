import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import * as v from 'valibot';
import { kubectl } from '../../end-to-end/support/test-cluster.ts';
import type { ClusterConfig } from '../../src/kubernetes/client-config.ts';
import { run } from '../../src/testbed/run-program.ts';

/** Watches as the agents of these Nodes make them, with the rights of the agents. */
export type Watchers = AsyncDisposable & {
  /** All at once; resolves when the last one has its list. */
  readonly start: () => Promise<void>;
  readonly stop: () => Promise<void>;
  /** How many changes all have told so far. */
  readonly changes: () => Promise<number>;
  /** What has come over all their connections so far, in bytes. */
  readonly receivedBytes: () => Promise<number>;
};

export async function startWatchers(
  { server, ca }: Pick<ClusterConfig, 'server' | 'ca'>,
  nodes: readonly string[],
): Promise<Watchers> {
  const token = await kubectl('-n', 'kube-system', 'create', 'token', 'podcap', '--duration=6h');
  const child = fork(join(import.meta.dirname, 'watchers-program.ts'), [
    JSON.stringify({ server, ca, token, nodes }),
  ]);
  const ended = once(child, 'exit');
  const received = new Map<string, number>();

  async function ask(order: 'start' | 'stop' | 'count'): Promise<number> {
    const gone = ended.then(() => Promise.reject(new Error('the watchers have ended')));
    gone.catch(() => {});
    const answered = once(child, 'message');
    child.send(order);
    const [answer] = v.parse(answerSchema, await Promise.race([answered, gone]));
    return answer;
  }

  return {
    async start() {
      await ask('start');
    },
    async stop() {
      await ask('stop');
    },
    changes: () => ask('count'),
    async receivedBytes() {
      // One that has been closed stays in the sum, with what was seen of it last.
      for (const [connection, bytes] of connectionsOf(await run(['ss', '-tinHOp']), child.pid ?? 0))
        received.set(connection, bytes);
      return [...received.values()].reduce((sum, bytes) => sum + bytes, 0);
    },
    async [Symbol.asyncDispose]() {
      if (child.connected) child.disconnect();
      await ended;
    },
  };
}

const answerSchema = v.tuple([v.number()], 'a number was expected');

/** Bytes received by each connection of a process, from what ss(8) prints: one line each, local address fourth. */
export function connectionsOf(table: string, pid: number): ReadonlyMap<string, number> {
  const lines = table.split('\n').filter((line) => line.includes(`pid=${pid},`));
  return new Map(
    lines.map((line) => [line.split(/\s+/)[3] ?? '', Number(/ bytes_received:(\d+)/.exec(line)?.[1] ?? 0)]),
  );
}
