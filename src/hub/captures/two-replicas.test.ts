import { setImmediate as yieldToOthers } from 'node:timers/promises';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { ReportLine } from '../../link/protocol.ts';
import { deletedLine, linkAgent, recordingLine } from '../testing/reporting-agent.ts';
import { type CaptureStore, captureStore } from './capture-store.ts';
import { rememberDeletedMs } from './reported-captures.ts';

const everything = { namespace: undefined, name: undefined };
const pods = [0, 1, 2, 3] as const;

/** A replica hears of a change this much later than another, at most; a watch is told again of the last minute. */
const mostLagSeconds = 50;
/** Each has the Pods whose numbers have the same remainder. */
const nodes = 2;

type Step =
  | { readonly kind: 'report'; readonly pod: number; readonly phase: 'Waiting' | 'Capturing' | 'Ended' }
  | { readonly kind: 'delete'; readonly pod: number }
  /** Replica 0 or 1 has heard everything that the agent of that Node said before `lag` seconds ago. */
  | { readonly kind: 'hear'; readonly replica: number; readonly node: number; readonly lag: number }
  /** The client's watch is cut, and it resumes at that replica, until it is cut after `most` changes. */
  | { readonly kind: 'resume'; readonly replica: number; readonly most: number }
  | { readonly kind: 'wait'; readonly seconds: number }
  /** The second Node is gone, with its agent and the second replica, which is another one from then on. */
  | { readonly kind: 'lose'; readonly afterSeconds: number };

const pod = fc.constantFrom(...pods);
const replica = fc.integer({ min: 0, max: 1 });
const nodeIndex = fc.integer({ min: 0, max: nodes - 1 });
const phase = fc.constantFrom('Waiting' as const, 'Capturing' as const, 'Ended' as const);
const lag = fc.constantFrom(0, 0, 0, 30);
const most = fc.constantFrom(0, 1, 2, 3, Number.POSITIVE_INFINITY);
const afterSeconds = fc.constantFrom(0, 30, 300);
const usual = fc.oneof(
  fc.record({ kind: fc.constant('report' as const), pod, phase }),
  fc.record({ kind: fc.constant('delete' as const), pod }),
  fc.record({ kind: fc.constant('hear' as const), replica, node: nodeIndex, lag }),
  fc.record({ kind: fc.constant('resume' as const), replica, most }),
  fc.record({ kind: fc.constant('wait' as const), seconds: fc.integer({ min: 1, max: 45 }) }),
);
const loss = fc.record({ kind: fc.constant('lose' as const), afterSeconds });
const steps = fc.array(fc.oneof({ arbitrary: usual, weight: 60 }, { arbitrary: loss, weight: 1 }), {
  minLength: 30,
  maxLength: 60,
});

test('a client whose watch alternates between two replicas ends with what is there', {
  timeout: 60_000,
}, async () => {
  await fc.assert(
    fc.asyncProperty(steps, async (taken) => {
      await using scene = await replicas();
      for (const step of taken) await scene.take(step);
      const { seen, listed, isOfLost } = await scene.settle();
      const ofNodes = (captures: KnownPhases) => new Map([...captures].filter(([name]) => !isOfLost(name)));
      expect(ofNodes(seen)).toEqual(ofNodes(listed));
      // A replica that knew the Node still shows what is left of it, another one never will.
      expect([...listed.keys()]).toEqual(expect.arrayContaining([...seen.keys()]));
    }),
    { numRuns: 1_000 },
  );
});

type KnownPhases = ReadonlyMap<string, string | undefined>;

/** Two replicas that hear the same agents at different times, and a client that lists at one and watches on. */
async function replicas() {
  let now = 1_700_000_000_000;
  const agents = Array.from({ length: nodes }, (_, index) => speaker(`node-${index}`));
  const open = (mark: number) => heardStore(captureStore({ nowMs: () => now, replica: mark }), agents, now);
  const stores = [open(0), open(1)];
  const hearAll = (beforeMs: number) => {
    for (const { hear } of stores) for (const index of agents.keys()) hear(index, beforeMs);
  };
  // So that neither is young.
  now += 3_600_000;
  const client = await listThenWatch(stores[0]?.store);

  function wait(seconds: number): void {
    // Nobody hears later than the bound.
    for (let second = 0; second < seconds; second += 1) hearAll((now += 1_000) - mostLagSeconds * 1_000);
  }

  async function take(step: Step): Promise<void> {
    switch (step.kind) {
      case 'wait':
        return wait(step.seconds);
      case 'resume':
        return await client.resume(stores[step.replica]?.store, step.most);
      case 'hear':
        return stores[step.replica]?.hear(step.node, now - step.lag * 1_000);
      case 'lose':
        for (const { hear, lose } of stores) {
          // What only the replica has heard that is gone too, nobody can know.
          hear(1, now);
          lose(1);
        }
        if (agents[1]) agents[1].isLost = true;
        wait(step.afterSeconds);
        await client.leave(stores[1]?.store);
        stores[1]?.store[Symbol.dispose]();
        stores[1] = open(2);
        return;
      case 'report':
      case 'delete':
        agents[step.pod % nodes]?.said.push({ atMs: now, line: lineOf(step, now) });
    }
  }

  return {
    async take(step: Step) {
      now += 1;
      await take(step);
      await client.settle();
    },
    async settle() {
      hearAll(now);
      const { store } = stores[now % 2] ?? {};
      await client.resume(store, Number.POSITIVE_INFINITY);
      const isOfLost = (name: string) =>
        pods.some((each) => name === `pod-${each}` && agents[each % nodes]?.isLost);
      return { seen: client.seen(), listed: (await listAt(store)).phases, isOfLost };
    },
    async [Symbol.asyncDispose]() {
      await client[Symbol.asyncDispose]();
      for (const { store } of stores) store[Symbol.dispose]();
    },
  };
}

type Speaker = { readonly node: string; readonly said: Said[]; isLost: boolean };

type Said = { readonly atMs: number; readonly line: ReportLine & { readonly kind: 'recording' | 'deleted' } };

function speaker(node: string): Speaker {
  return { node, said: [], isLost: false };
}

/** Connects the agents to a replica: each says what is there, and what was deleted lately. */
function heardStore(store: CaptureStore, agents: readonly Speaker[], nowMs: number) {
  const links = agents.map(({ node, said, isLost }) => {
    const agent = isLost ? undefined : linkAgent(store.receiveReports, { node });
    agent?.reportAll(...presentLines(said, nowMs));
    return { agent, said, heard: said.length };
  });
  return {
    store,
    hear: (index: number, untilMs: number) => {
      const link = links[index];
      for (const { atMs, line } of link?.said.slice(link.heard) ?? []) {
        if (!link || atMs > untilMs) return;
        link.heard += 1;
        link.agent?.report(line);
      }
    },
    lose: (index: number) => {
      links[index]?.agent?.disconnect();
      if (links[index]) links[index].agent = undefined;
    },
  };
}

function presentLines(said: readonly Said[], nowMs: number): readonly ReportLine[] {
  const last = new Map(said.map((each) => [nameOf(each.line), each]));
  return [...last.values()]
    .filter(({ atMs, line }) => line.kind === 'recording' || nowMs - atMs < rememberDeletedMs)
    .map(({ line }) => line);
}

function nameOf(line: Said['line']): string {
  return line.kind === 'recording' ? line.recording.name : line.name;
}

function lineOf(step: Step & { readonly kind: 'report' | 'delete' }, now: number): Said['line'] {
  const name = `pod-${step.pod}`;
  const deletedAt = new Date(now).toISOString();
  return step.kind === 'delete'
    ? deletedLine({ name, deletedAt })
    : recordingLine({ name, status: { phase: step.phase } });
}

async function listAt(store: CaptureStore | undefined) {
  if (!store) throw new Error('no such replica');
  const { items, resourceVersion } = await store.list(everything, { signal: AbortSignal.timeout(60_000) });
  const phases = new Map(items.map(({ metadata, status }) => [metadata.name, status.recordings[0]?.phase]));
  return { store, phases, resourceVersion };
}

/** A client as an informer is: it lists once, and resumes from the last version that it has seen. */
async function listThenWatch(first: CaptureStore | undefined) {
  let list = await listAt(first);
  let known = list.phases;
  let version = list.resourceVersion;
  let watch = open(list.store, Number.POSITIVE_INFINITY);

  function open(store: CaptureStore, mostChanges: number) {
    const ending = new AbortController();
    const since = { kind: 'version', resourceVersion: BigInt(version) } as const;
    const reading = (async () => {
      let taken = 0;
      for await (const change of eachOf(store.watch(everything, since, ending.signal))) {
        if (taken === mostChanges) return;
        if (change.kind === 'bookmark') {
          version = change.resourceVersion;
          continue;
        }
        taken += 1;
        const { metadata, status } = change.capture;
        version = metadata.resourceVersion;
        if (change.kind === 'deleted') known.delete(metadata.name);
        else known.set(metadata.name, status.recordings[0]?.phase);
      }
    })();
    return { store, ending, reading };
  }

  async function end(): Promise<void> {
    watch.ending.abort();
    await watch.reading;
  }

  async function resume(store: CaptureStore | undefined, mostChanges: number): Promise<void> {
    await end();
    if (store?.deletionsSince(BigInt(version)) !== 'complete') {
      list = await listAt(store);
      known = list.phases;
      version = list.resourceVersion;
    }
    if (store) watch = open(store, mostChanges);
    await settle();
  }

  async function settle(): Promise<void> {
    for (let turn = 0; turn < 3; turn += 1) await yieldToOthers();
  }

  return {
    seen: (): KnownPhases => known,
    settle,
    resume,
    /** If that is where it watches. */
    async leave(store: CaptureStore | undefined) {
      if (watch.store === store) await end();
    },
    [Symbol.asyncDispose]: end,
  };
}

async function* eachOf<T>(parts: AsyncIterable<readonly T[]>): AsyncGenerator<T> {
  for await (const part of parts) yield* part;
}
