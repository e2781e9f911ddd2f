import { kubernetesClient, type StreamRequest } from '../client.ts';
import { type Change, type WatchLimits, type WatchState, watchCollection } from '../list-watch.ts';
import { type Pod, parsePod } from '../pod.ts';
import type { ApiServer } from './api-server.ts';
import { memoryLog } from './memory-logger.ts';

export type FollowedWatch = AsyncDisposable & {
  readonly changes: readonly Change<Pod>[];
  readonly states: readonly WatchState[];
  readonly log: ReturnType<typeof memoryLog>;
  readonly stop: AbortController;
  readonly done: Promise<void>;
};

/**
 * The time limits of one watch, by how many were opened before it. A test that is about silence shortens only
 * those of the silent watch: on a busy machine, any watch with a limit of milliseconds could run into it.
 */
export type TimeLimits = (watch: number) => Partial<Pick<StreamRequest, 'responseMs' | 'idleMs'>>;

/** Follows the Pods of node1 until it is disposed of; waits milliseconds before it tries again. */
export function follow(
  server: ApiServer,
  limits: Partial<WatchLimits> = {},
  timeLimits: TimeLimits = () => ({}),
): FollowedWatch {
  const client = kubernetesClient(server.config);
  const stop = new AbortController();
  const changes: Change<Pod>[] = [];
  const states: WatchState[] = [];
  const log = memoryLog();
  let opened = 0;
  function stream(request: StreamRequest) {
    const times = timeLimits(opened);
    opened += 1;
    return client.stream({ ...request, ...times });
  }
  async function read(): Promise<void> {
    const watching = watchCollection({
      client: { get: client.get, stream },
      path: '/api/v1/pods',
      fieldSelector: 'spec.nodeName=node1',
      parse: parsePod,
      log,
      signal: stop.signal,
      onState: (state) => states.push(state),
      limits: { settledMs: 0, backoff: { minMs: 1, maxMs: 4 }, ...limits },
    });
    for await (const change of watching) changes.push(change);
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
