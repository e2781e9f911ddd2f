import * as v from 'valibot';
import type { ByteStream, KubernetesClient } from '../../src/kubernetes/client.ts';
import { lines } from '../../src/kubernetes/split-lines.ts';

/**
 * The log of an agent, whose clock is this machine's. The time of a log line gives a moment to the millisecond, and no
 * polling disturbs what is measured.
 */
export type AgentLog = AsyncDisposable & {
  /** The first such line from that time on, logged already or not yet; throws after 30 s, or when the log ends. */
  readonly line: (wanted: WantedLine) => Promise<LogLine>;
};

export type LogLine = v.InferOutput<typeof lineSchema>;

export type WantedLine = {
  readonly message: 'capture started' | 'capture stopped' | 'captures deleted';
  /** The Pod's UID. */
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

/** Follows the log of an agent's Pod from now on. */
export async function followLog(
  client: Pick<KubernetesClient, 'stream'>,
  agentPod: string,
): Promise<AgentLog> {
  return readLog(
    await client.stream({
      path: `/api/v1/namespaces/kube-system/pods/${agentPod}/log`,
      // The kubelet responds with its first byte: with one old line that is at once.
      query: { follow: 'true', tailLines: '1' },
      responseMs: 10_000,
      idleMs: 3_600_000,
    }),
    agentPod,
  );
}

/** Reads an agent's log lines from a stream; disposing of the log closes the stream. */
export function readLog(stream: ByteStream, agent: string): AgentLog {
  const logged: LogLine[] = [];
  const waiters = new Set<Waiter>();
  let endedWith: Error | undefined;

  async function read(): Promise<void> {
    for await (const text of lines(stream, 1 << 20)) {
      const line = v.parse(lineSchema, JSON.parse(text));
      logged.push(line);
      for (const { wanted, resolve } of waiters) if (matches(line, wanted)) resolve(line);
    }
  }
  const reading = read()
    .catch((cause: unknown) => cause)
    .then((cause) => {
      endedWith = new Error(`the log of ${agent} has ended`, { cause });
      for (const { reject } of waiters) reject(endedWith);
    });

  return {
    async line(wanted) {
      const found = logged.find((line) => matches(line, wanted));
      if (found) return found;
      if (endedWith) throw endedWith;
      const { promise, resolve, reject } = Promise.withResolvers<LogLine>();
      const waiter = { wanted, resolve, reject };
      const what = `the log line '${wanted.message}' of ${wanted.uid}`;
      const late = new Error(`timed out after ${deadlineMs / 1_000} s waiting for ${what}`);
      const timer = setTimeout(() => reject(late), deadlineMs);
      waiters.add(waiter);
      return await promise.finally(() => {
        clearTimeout(timer);
        waiters.delete(waiter);
      });
    },
    async [Symbol.asyncDispose]() {
      await stream[Symbol.asyncDispose]();
      await reading;
    },
  };
}

/** One of many that wait at the same time: each new line is compared once with each of them. */
type Waiter = Pick<PromiseWithResolvers<LogLine>, 'resolve' | 'reject'> & { readonly wanted: WantedLine };

function matches({ msg, uid, time }: LogLine, wanted: WantedLine): boolean {
  return msg === wanted.message && uid === wanted.uid && time >= wanted.fromMs;
}
