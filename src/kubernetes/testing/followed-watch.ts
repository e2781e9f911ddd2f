import { kubernetesClient } from '../client.ts';
import { type Change, type WatchLimits, type WatchState, watchCollection } from '../list-watch.ts';
import { type Pod, parsePod } from '../pod.ts';
import type { ApiServer } from './api-server.ts';
import { memoryLog } from './memory-logger.ts';

export type Following = AsyncDisposable & {
  readonly changes: readonly Change<Pod>[];
  readonly states: readonly WatchState[];
  readonly log: ReturnType<typeof memoryLog>;
  readonly stop: AbortController;
  readonly done: Promise<void>;
};

/** Reads a watch of the Pods of node1 to its end, with waits of milliseconds. */
export function follow(server: ApiServer, limits: Partial<WatchLimits> = {}): Following {
  const client = kubernetesClient(server.config);
  const stop = new AbortController();
  const changes: Change<Pod>[] = [];
  const states: WatchState[] = [];
  const log = memoryLog();
  const short = { settledMs: 0, responseMs: 300, idleMs: 300, backoff: { minMs: 1, maxMs: 4 } };
  const onState = (state: WatchState) => {
    states.push(state);
  };
  async function read(): Promise<void> {
    const options = {
      client,
      path: '/api/v1/pods',
      fieldSelector: 'spec.nodeName=node1',
      parse: parsePod,
      log,
      signal: stop.signal,
    };
    for await (const change of watchCollection({ ...options, onState, limits: { ...short, ...limits } })) {
      changes.push(change);
    }
  }
  const done = read();
  return {
    changes,
    states,
    log,
    stop,
    done,
    async [Symbol.asyncDispose]() {
      stop.abort();
      await done;
      await client[Symbol.asyncDispose]();
    },
  };
}
