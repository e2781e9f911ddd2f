import * as v from 'valibot';
import { until } from '../../src/base/until.ts';
import type { FrontProxy } from './front-proxy.ts';

/** Watches of all captures of all namespaces. */
export type ManyWatches = AsyncDisposable & {
  /** Resolves when every watch has told of that phase of that capture: when the last one did, in ms of the epoch. */
  readonly reached: (change: { readonly name: string; readonly phase: string }) => Promise<number>;
  /** How many events all watches together have delivered so far. */
  readonly events: () => number;
};

/** Opens that many watches; resolves when each has what was there when it began. */
export async function watchMany(proxy: FrontProxy, count: number): Promise<ManyWatches> {
  const stopping = new AbortController();
  const watches = Array.from({ length: count }, () => openOneWatch(proxy, stopping.signal));
  await until(() => watches.every(({ hasInitial }) => hasInitial()), {
    what: `${count} watches to have the captures`,
    deadlineMs: 120_000,
  });
  return {
    async reached({ name, phase }) {
      const key = `${name} ${phase}`;
      const times = () => watches.map(({ seenMs }) => seenMs.get(key));
      await until(() => times().every((ms) => ms !== undefined), { what: key, deadlineMs: 60_000 });
      return Math.max(...times().map((ms) => ms ?? Number.NaN));
    },
    events: () => watches.reduce((sum, { events }) => sum + events(), 0),
    async [Symbol.asyncDispose]() {
      stopping.abort();
      await Promise.all(watches.map(({ ended }) => ended));
    },
  };
}

const path = '/apis/podcap.dev/v1alpha1/captures';
const query =
  'watch=true&allowWatchBookmarks=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&resourceVersion=0';

function openOneWatch(proxy: FrontProxy, signal: AbortSignal) {
  const seenMs = new Map<string, number>();
  let events = 0;
  let hasInitial = false;
  const read = async () => {
    for await (const line of proxy.lines(`${path}?${query}`, signal)) {
      events += 1;
      // What was there at first is of no interest: 10,000 captures in each watch.
      if (!hasInitial) {
        hasInitial = line.includes(initialEnd);
        continue;
      }
      const { type, object } = v.parse(eventSchema, JSON.parse(line));
      if (type !== 'MODIFIED') continue;
      const key = `${object.metadata.name} ${object.status?.recordings[0]?.phase}`;
      if (!seenMs.has(key)) seenMs.set(key, Date.now());
    }
  };
  let failure: unknown;
  const ended = read().catch((error: unknown) => {
    if (!signal.aborted) failure = error;
  });
  const isInitial = () => {
    if (failure !== undefined) throw new Error('a watch has ended', { cause: failure });
    return hasInitial;
  };
  return { seenMs, events: () => events, hasInitial: isInitial, ended };
}

const initialEnd = 'k8s.io/initial-events-end';

const eventSchema = v.object({
  type: v.string(),
  object: v.object({
    metadata: v.object({ name: v.optional(v.string()) }),
    status: v.optional(v.object({ recordings: v.array(v.object({ phase: v.string() })) })),
  }),
});
