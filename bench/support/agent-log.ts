import * as v from 'valibot';
import type { ByteStream, KubernetesClient } from '../../src/kubernetes/client.ts';
import { lines } from '../../src/kubernetes/split-lines.ts';

/**
 * What an agent says about captures, with its own times: the agent's clock is this machine's. So a moment is known
 * to the millisecond by reading of it afterwards, without asking again and again while it is awaited.
 */
export type AgentLog = AsyncDisposable & {
  /** The first such line from that time on, said already or still to come. */
  readonly line: (wanted: WantedLine) => Promise<LogLine>;
};

export type LogLine = v.InferOutput<typeof lineSchema>;

export type WantedLine = {
  readonly message: 'capture started' | 'capture stopped' | 'captures deleted';
  /** Of the Pod. */
  readonly uid: string;
  /** Milliseconds of the epoch. */
  readonly fromMs: number;
};

const lineSchema = v.object({
  time: v.number(),
  msg: v.string(),
  uid: v.optional(v.string()),
  generation: v.optional(v.number()),
});

const deadlineMs = 30_000;

/** Follows the log of that agent's Pod from now on. */
export async function followLog(
  client: Pick<KubernetesClient, 'stream'>,
  agentPod: string,
): Promise<AgentLog> {
  return readLog(
    await client.stream({
      path: `/api/v1/namespaces/kube-system/pods/${agentPod}/log`,
      // One line that is there already: the kubelet answers with the first byte that it has.
      query: { follow: 'true', tailLines: '1' },
      responseMs: 10_000,
      idleMs: 3_600_000,
    }),
    agentPod,
  );
}

/** Reads what that agent says. */
export function readLog(stream: ByteStream, agent: string): AgentLog {
  const said: LogLine[] = [];
  const waiting = new Set<Waiting>();
  let broken: Error | undefined;

  async function read(): Promise<void> {
    for await (const text of lines(stream, 1 << 20)) {
      const line = v.parse(lineSchema, JSON.parse(text));
      said.push(line);
      for (const { wanted, resolve } of waiting) if (isIt(line, wanted)) resolve(line);
    }
  }
  const reading = read()
    .catch((cause: unknown) => cause)
    .then((cause) => {
      broken = new Error(`the log of ${agent} has ended`, { cause });
      for (const { reject } of waiting) reject(broken);
    });

  return {
    async line(wanted) {
      const found = said.find((line) => isIt(line, wanted));
      if (found) return found;
      if (broken) throw broken;
      const { promise, resolve, reject } = Promise.withResolvers<LogLine>();
      const waiter = { wanted, resolve, reject };
      const what = `'${wanted.message}' of ${wanted.uid}`;
      const timer = setTimeout(() => reject(new Error(`not within ${deadlineMs} ms: ${what}`)), deadlineMs);
      waiting.add(waiter);
      return await promise.finally(() => {
        clearTimeout(timer);
        waiting.delete(waiter);
      });
    },
    async [Symbol.asyncDispose]() {
      await stream[Symbol.asyncDispose]();
      await reading;
    },
  };
}

/** Many wait at a time, and each line is looked at once by each of them. */
type Waiting = Pick<PromiseWithResolvers<LogLine>, 'resolve' | 'reject'> & { readonly wanted: WantedLine };

function isIt({ msg, uid, time }: LogLine, wanted: WantedLine): boolean {
  return msg === wanted.message && uid === wanted.uid && time >= wanted.fromMs;
}
