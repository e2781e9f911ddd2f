import { until } from '../../src/base/until.ts';
import { type CaptureAnswer, type CaptureRequests, capturesPath } from './capture-requests.ts';
import { type HubReplica, readyHubs } from './hub-pods.ts';
import { readFramedCapture, WrongBytes } from './read-stream-frames.ts';
import { kubectl } from './run-kubectl.ts';

/** What is read of a Pod: its recording, or its packets as they pass. */
export type StreamTarget = {
  readonly namespace: string;
  readonly name: string;
  readonly subresource: 'log' | 'attach';
  readonly query?: string;
};

/** A stream of frames of which some bytes were read, and the rest waits. */
export type HeldStream = {
  readonly answer: CaptureAnswer;
  /** The replica through which it goes. */
  readonly hub: HubReplica;
  /** Reads the rest. What came of it: all of it with a digest that fits, or the error of the cut. Throws WrongBytes. */
  readonly rest: () => Promise<'complete' | 'cut'>;
};

/** Begins to read frames, and stops after the first bytes: the rest waits in the agent, the hub and the sockets. */
export async function heldStream(requests: CaptureRequests, target: StreamTarget): Promise<HeldStream> {
  const { namespace, name, subresource, query = '' } = target;
  const sinceMs = Date.now();
  const answer = await requests.frames(`${capturesPath(namespace)}/${name}/${subresource}${query}`);
  if (answer.status !== 200) throw new Error((await answer.bytes()).toString('utf8'));
  const first = await firstChunk(answer);
  const hub = await until(() => hubOf(target, sinceMs), { what: 'the replica of the stream', everyMs: 100 });
  return {
    answer,
    hub,
    async rest() {
      try {
        await readFramedCapture(joined(first, answer.body));
        return 'complete';
      } catch (error) {
        if (error instanceof WrongBytes) throw error;
        return 'cut';
      }
    },
  };
}

/** A capture in frames, all of it; undefined if it was refused or cut. Throws WrongBytes. */
export async function downloaded({ frames }: CaptureRequests, path: string): Promise<Buffer | undefined> {
  try {
    using answer = await frames(path);
    if (answer.status !== 200) return undefined;
    const { bytes, end } = await readFramedCapture(answer.body);
    return end.isComplete ? bytes : undefined;
  } catch (error) {
    if (error instanceof WrongBytes) throw error;
    return undefined;
  }
}

async function firstChunk({ body }: CaptureAnswer): Promise<Buffer> {
  const chunk = await until(
    () => {
      const read: unknown = body.read();
      return Buffer.isBuffer(read) ? read : undefined;
    },
    { what: 'the first bytes of the stream' },
  );
  return chunk;
}

async function* joined(first: Buffer, rest: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void> {
  yield first;
  yield* rest;
}

/** The replica whose audit lines say that it has started such a stream since then. */
async function hubOf({ name, namespace }: StreamTarget, sinceMs: number): Promise<HubReplica | undefined> {
  for (const hub of await readyHubs()) {
    const since = `--since=${Math.ceil((Date.now() - sinceMs) / 1_000) + 1}s`;
    const log = await kubectl('-n', 'kube-system', 'logs', hub.name, since).catch(() => '');
    const isStart = (line: string) =>
      line.includes('"event":"StreamStarted"') &&
      line.includes(`"name":"${name}"`) &&
      line.includes(`"namespace":"${namespace}"`) &&
      Date.parse(/"time":"([^"]+)"/.exec(line)?.[1] ?? '') >= sinceMs;
    if (log.split('\n').some(isStart)) return hub;
  }
  return undefined;
}
