import { setImmediate as yieldToOthers } from 'node:timers/promises';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { ReportLine } from '../../link/protocol.ts';
import { deletedLine, type LinkedAgent, linkAgent, recordingLine } from '../testing/reporting-agent.ts';
import { type CaptureStore, captureStore } from './capture-store.ts';

const everything = { namespace: undefined, name: undefined };

/** A replica hears of a change this much later than another, at most; a watch is told again of the last minute. */
const mostLagSeconds = 50;
/** Each has the Pods whose numbers have the same remainder. */
const nodes = 2;

type Step =
  | { readonly kind: 'report'; readonly pod: number; readonly phase: 'Waiting' | 'Capturing' | 'Ended' }
  | { readonly kind: 'delete'; readonly pod: number }
  /** Replica 0 or 1 has heard everything that the agent of that Node said before `lag` seconds ago. */
  | { readonly kind: 'hear'; readonly replica: number; readonly node: number; readonly lag: number }
  /** The client's watch is cut, and it resumes at that replica. */
  | { readonly kind: 'resume'; readonly replica: number }
  | { readonly kind: 'wait'; readonly seconds: number };

const pod = fc.integer({ min: 0, max: 3 });
const replica = fc.integer({ min: 0, max: 1 });
const node = fc.integer({ min: 0, max: nodes - 1 });
const phase = fc.constantFrom('Waiting' as const, 'Capturing' as const, 'Ended' as const);
const lag = fc.constantFrom(0, 0, 0, 30);
const steps = fc.array(
  fc.oneof(
    fc.record({ kind: fc.constant('report' as const), pod, phase }),
    fc.record({ kind: fc.constant('delete' as const), pod }),
    fc.record({ kind: fc.constant('hear' as const), replica, node, lag }),
    fc.record({ kind: fc.constant('resume' as const), replica }),
    fc.record({ kind: fc.constant('wait' as const), seconds: fc.integer({ min: 1, max: 45 }) }),
  ),
  { minLength: 30, maxLength: 60 },
);

test('a client whose watch alternates between two replicas ends with what is there', {
  timeout: 60_000,
}, async () => {
  await fc.assert(
    fc.asyncProperty(steps, async (taken) => {
      await using scene = await replicas();
      for (const step of taken) await scene.take(step);
      await scene.settle();
      expect(scene.seen()).toEqual(await scene.listed());
    }),
    { numRuns: 500 },
  );
});

/** Two replicas that hear the same agents at different times, and a client that lists at one and watches on. */
async function replicas() {
  let now = 1_700_000_000_000;
  const stores = [captureStore({ nowMs: () => now }), captureStore({ nowMs: () => now })] as const;
  const said = Array.from({ length: nodes }, (): Said[] => []);
  const listeners = stores.map((store) =>
    said.map((lines, index) => listener(linkAgent(store.receiveReports, { node: `node-${index}` }), lines)),
  );
  const hearAll = (beforeMs: number) => {
    for (const each of listeners.flat()) each(beforeMs);
  };
  // So that neither is young.
  now += 3_600_000;
  const client = await listThenWatch(stores[0]);
  return {
    seen: client.seen,
    listed: () => statesAt(stores[0]),
    async take(step: Step) {
      now += 1;
      if (step.kind === 'wait') {
        // Nobody hears later than the bound.
        for (let second = 0; second < step.seconds; second += 1)
          hearAll((now += 1_000) - mostLagSeconds * 1_000);
      } else if (step.kind === 'resume') await client.resume(stores[step.replica === 0 ? 0 : 1]);
      else if (step.kind === 'hear') listeners[step.replica]?.[step.node]?.(now - step.lag * 1_000);
      else said[step.pod % nodes]?.push({ atMs: now, line: lineOf(step, now) });
      await client.settle();
    },
    async settle() {
      hearAll(now);
      await client.settle();
    },
    async [Symbol.asyncDispose]() {
      await client[Symbol.asyncDispose]();
      for (const store of stores) store[Symbol.dispose]();
    },
  };
}

type Said = { readonly atMs: number; readonly line: ReportLine };

/** Has a replica hear what an agent said up to a time. */
function listener(agent: LinkedAgent, said: readonly Said[]): (untilMs: number) => void {
  let heard = 0;
  agent.reportAll();
  return (untilMs) => {
    for (let next = said[heard]; next && next.atMs <= untilMs; next = said[heard]) {
      heard += 1;
      agent.report(next.line);
    }
  };
}

function lineOf(step: Step & { readonly kind: 'report' | 'delete' }, now: number): ReportLine {
  const name = `pod-${step.pod}`;
  const deletedAt = new Date(now).toISOString();
  return step.kind === 'delete'
    ? deletedLine({ name, deletedAt })
    : recordingLine({ name, status: { phase: step.phase } });
}

async function statesAt(store: CaptureStore): Promise<ReadonlyMap<string, string | undefined>> {
  const { items } = await store.list(everything, { signal: AbortSignal.timeout(60_000) });
  return new Map(items.map(({ metadata, status }) => [metadata.name, status.recordings[0]?.phase]));
}

/** A client as an informer is: it lists once, and resumes from the last version that it has seen. */
async function listThenWatch(first: CaptureStore) {
  const known = new Map(await statesAt(first));
  let version = (await first.list(everything, { signal: AbortSignal.timeout(60_000) })).resourceVersion;
  let watch = open(first);

  function open(store: CaptureStore) {
    const ending = new AbortController();
    const since = { kind: 'version', resourceVersion: BigInt(version) } as const;
    const reading = (async () => {
      for await (const change of eachOf(store.watch(everything, since, ending.signal))) {
        if (change.kind === 'bookmark') {
          version = change.resourceVersion;
          continue;
        }
        const { metadata, status } = change.capture;
        version = metadata.resourceVersion;
        if (change.kind === 'deleted') known.delete(metadata.name);
        else known.set(metadata.name, status.recordings[0]?.phase);
      }
    })();
    return { ending, reading };
  }

  const end = async () => {
    watch.ending.abort();
    await watch.reading;
  };
  return {
    seen: (): ReadonlyMap<string, string | undefined> => known,
    async settle() {
      for (let turn = 0; turn < 3; turn += 1) await yieldToOthers();
    },
    async resume(store: CaptureStore) {
      await end();
      watch = open(store);
      await this.settle();
    },
    [Symbol.asyncDispose]: end,
  };
}

async function* eachOf<T>(parts: AsyncIterable<readonly T[]>): AsyncGenerator<T> {
  for await (const part of parts) yield* part;
}
