import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import * as v from 'valibot';
import type { ClusterConfig } from '../../src/kubernetes/config.ts';
import { run } from '../../src/lab/run.ts';
import { kubectl } from '../../test/support/cluster.ts';

/** Watches as the agents of these Nodes make them, with the rights of the agents. */
export type Watchers = AsyncDisposable & {
  /** All at once; resolves when the last one has its list. */
  readonly start: () => Promise<void>;
  readonly stop: () => Promise<void>;
  /** How many changes all have told so far. */
  readonly changes: () => Promise<number>;
  /** What came over their connections since they were started, in bytes. */
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
    receivedBytes: async () => receivedBytes(await run(['ss', '-tinHOp']), child.pid ?? 0),
    async [Symbol.asyncDispose]() {
      if (child.connected) child.disconnect();
      await ended;
    },
  };
}

const answerSchema = v.tuple([v.number()], 'a number was expected');

/** Of all connections of a process, from what ss(8) prints: one line each. */
export function receivedBytes(table: string, pid: number): number {
  return table
    .split('\n')
    .filter((line) => line.includes(`pid=${pid},`))
    .reduce((sum, line) => sum + Number(/ bytes_received:(\d+)/.exec(line)?.[1] ?? 0), 0);
}
