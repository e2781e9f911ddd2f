import * as v from 'valibot';
import { doorbell } from '../src/base/doorbell.ts';
import type { ByteStream, KubernetesClient } from '../src/kubernetes/client.ts';
import { lines } from '../src/kubernetes/lines.ts';

/**
 * What an agent says about captures, with its own times: the agent's clock is this machine's. So a moment is known
 * to the millisecond by reading of it afterwards, without asking again and again while it is awaited.
 */
export type AgentLog = AsyncDisposable & {
  /** The first such line from that time on, said already or still to come. */
  readonly line: (wanted: Wanted) => Promise<LogLine>;
};

export type LogLine = v.InferOutput<typeof lineSchema>;

export type Wanted = {
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
  const stream = await client.stream({
    path: `/api/v1/namespaces/kube-system/pods/${agentPod}/log`,
    // One line that is there already: the kubelet answers with the first byte that it has.
    query: { follow: 'true', tailLines: '1' },
    responseMs: 10_000,
    idleMs: 3_600_000,
  });
  const said: LogLine[] = [];
  const bell = doorbell();
  let broken: unknown;
  const reading = readInto(said, stream, bell.ring).then(
    () => {
      broken = new Error(`the log of ${agentPod} has ended`);
    },
    (error: unknown) => {
      broken = error;
    },
  );
  void reading.then(bell.ring);

  return {
    async line({ message, uid, fromMs }) {
      const deadline = performance.now() + deadlineMs;
      for (;;) {
        const found = said.find((line) => line.msg === message && line.uid === uid && line.time >= fromMs);
        if (found) return found;
        if (broken !== undefined) throw broken;
        const leftMs = deadline - performance.now();
        if (leftMs <= 0) throw new Error(`not within ${deadlineMs} ms: '${message}' of ${uid}`);
        await bell.wait(leftMs);
      }
    },
    async [Symbol.asyncDispose]() {
      await stream[Symbol.asyncDispose]();
      await reading;
    },
  };
}

async function readInto(said: LogLine[], stream: ByteStream, onLine: () => void): Promise<void> {
  for await (const line of lines(stream, 1 << 20)) {
    said.push(v.parse(lineSchema, JSON.parse(line)));
    onLine();
  }
}
