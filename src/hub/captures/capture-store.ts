import { every } from '../../base/timers.ts';
import type { ReceiveReports } from '../agents/agent-reports.ts';
import { servingClaims } from './assemble-capture.ts';
import { captureEntries } from './capture-entries.ts';
import { type CaptureWatches, captureWatches, type WatchBeginning } from './capture-watches.ts';
import type { CaptureScope, Captures, WatchStart } from './captures.ts';
import { type CounterTarget, type CounterTimes, counterRounds } from './counter-rounds.ts';
import type { ReportingAgent } from './recording-claim.ts';
import { rememberDeletedMs, reportedCaptures } from './reported-captures.ts';
import { resourceVersions } from './resource-versions.ts';

/** All captures of this replica, in memory: what the connected agents say, and what lost ones said last. */
export type CaptureStore = Captures &
  Disposable & {
    readonly receiveReports: ReceiveReports;
    readonly counts: () => CaptureStoreCounts;
  };

export type CaptureStoreCounts = {
  readonly captures: number;
  readonly watches: number;
  /** Agents that are connected and have reported everything they have. */
  readonly syncedAgents: number;
  /** Nodes whose agent was lost, and whose captures are still shown as Unknown. */
  readonly lostNodes: number;
  /** Recordings of connected agents that exceed the bounds of one agent. */
  readonly leftOut: number;
};

export type CaptureStoreOptions = {
  readonly counterTimes?: CounterTimes;
  readonly watchTimes?: Partial<WatchTimes>;
  /** 0 to 999: marks the resource versions of this replica; by chance if undefined. */
  readonly replica?: number;
  /** How long the captures of a lost agent are shown. */
  readonly keepLostMs?: number;
  /** Unix time in milliseconds. */
  readonly nowMs?: () => number;
};

export type WatchTimes = {
  /** In each of 60 slots, the counters of some agents are told to watches: of every agent once in all of them. */
  readonly slotMs: number;
  readonly bookmarkEveryMs: number;
};

/** Changes that another replica has had, and this one had not when the client asked it. */
const defaultResentMs = 60_000;
const resentMicroseconds = defaultResentMs * 1_000;
const rememberedMicroseconds = rememberDeletedMs * 1_000;
const countersSlots = 60;
const defaultWatchTimes: WatchTimes = { slotMs: 1_000, bookmarkEveryMs: 60_000 };
const sweepMs = 1_000;

/** A store without captures. */
export function captureStore(options: CaptureStoreOptions = {}): CaptureStore {
  const { counterTimes, keepLostMs = 10 * 60_000, nowMs = Date.now } = options;
  const { slotMs, bookmarkEveryMs } = { ...defaultWatchTimes, ...options.watchTimes };
  const versions = resourceVersions(nowMs, options.replica);
  const startVersion = versions.next();
  const version = () => versions.textOf(versions.current());
  const watches: CaptureWatches = captureWatches({ version, bookmarkEveryMs });
  const entries = captureEntries(versions, watches.notify);
  const reported = reportedCaptures(entries, nowMs);
  const rounds = counterRounds(reported.count, counterTimes);
  const sweep = every(sweepMs, () => {
    reported.forgetLostBefore(nowMs() - keepLostMs);
    // A replica has to tell no watch of what is older; a minute more, because that is resent.
    entries.forgetDeletedBefore(versions.current() - rememberedMicroseconds - resentMicroseconds);
    return Promise.resolve();
  });
  let slot = 0;
  const ending = new AbortController();
  const countersTurn = every(slotMs, async () => {
    slot = (slot + 1) % countersSlots;
    if (watches.count() > 0) await tellCounters(slot);
  });

  async function tellCounters(turn: number): Promise<void> {
    const agents = [...reported.agents()].filter(
      (agent) => agent.link && agent.claims.size > 0 && slotOf(agent) === turn,
    );
    const targets = agents.map((agent) => ({ agent, uid: undefined }));
    await rounds.refresh(targets, ending.signal);
    for (const { claims } of agents) for (const claim of claims.values()) entries.flush(claim);
  }

  function targetsOf(scope: CaptureScope): CounterTarget[] {
    if (scope.namespace === undefined && scope.name === undefined) {
      const agents = [...reported.agents()].filter(({ link, claims }) => link && claims.size > 0);
      return agents.map((agent) => ({ agent, uid: undefined }));
    }
    const claims = entries.inScope(scope).flatMap((entry) => entry.claims);
    const connected = claims.filter(({ agent }) => agent.link);
    const byAgent = Map.groupBy(connected, ({ agent }) => agent);
    return [...byAgent].map(([agent, of]) => ({
      agent,
      uid: of.length === 1 ? of[0]?.recording.uid : undefined,
    }));
  }

  function beginning(scope: CaptureScope, since: WatchStart): WatchBeginning {
    const all = () => entries.inScope(scope);
    if (since.kind === 'now') return { scope, initial: all, knownSince: undefined, isFromNow: true };
    const { resourceVersion, resentMs = defaultResentMs } = since;
    const known = seenVersion(resourceVersion) - resentMs * 1_000;
    const change = since.resentMs === undefined ? 'any' : 'state';
    const initial = () => entries.changedSince(known < startVersion ? 0 : known, change);
    return { scope, initial, knownSince: known < startVersion ? undefined : known, isFromNow: false };
  }

  /** What the client has seen. A replica whose clock is ahead may have made it up to a minute later than now. */
  function seenVersion(resourceVersion: bigint | undefined): number {
    if (resourceVersion === undefined) return versions.current();
    return Math.min(versions.parse(resourceVersion).version, versions.current());
  }

  return {
    receiveReports: reported.receive,
    async list(scope, { signal }) {
      const silent = await rounds.refresh(targetsOf(scope), signal);
      const items = entries.inScope(scope).map(({ capture }) => capture);
      return {
        items,
        resourceVersion: version(),
        missingNodes: missingNodes([...reported.agents()], silent),
      };
    },
    async get(name, { signal }) {
      await rounds.refresh(targetsOf(name), signal);
      return entries.get(name)?.capture;
    },
    watch: (scope, since, signal) => watches.open(beginning(scope, since), signal),
    deletionsSince(resourceVersion) {
      const seen = seenVersion(resourceVersion);
      if (seen <= versions.current() - rememberedMicroseconds) return 'forgotten';
      // For so long, another replica shows what an agent told it, and was lost before it told this one.
      const isOld = startVersion <= seen - keepLostMs * 1_000 - resentMicroseconds;
      return isOld || versions.parse(resourceVersion).isOwn ? 'complete' : 'uncertain';
    },
    timeMsOf: (resourceVersion) => versions.parse(resourceVersion).version / 1_000,
    agentsOf: (name, recording) =>
      servingClaims(entries.get(name)?.claims ?? [], recording).flatMap(({ agent }) => agent.link ?? []),
    counts() {
      const agents = [...reported.agents()];
      return {
        captures: entries.inScope({ namespace: undefined, name: undefined }).length,
        watches: watches.count(),
        syncedAgents: agents.filter(({ isSynced }) => isSynced).length,
        lostNodes: missingNodes(agents, []).length,
        leftOut: agents.reduce((sum, agent) => sum + (agent.link ? agent.leftOut : 0), 0),
      };
    },
    [Symbol.dispose]() {
      ending.abort();
      sweep[Symbol.dispose]();
      countersTurn[Symbol.dispose]();
    },
  };
}

/** Spreads the agents over a minute, always in the same way. */
function slotOf({ node, podUid }: ReportingAgent): number {
  let sum = 0;
  for (const character of `${node}${podUid}`) sum = (sum * 31 + (character.codePointAt(0) ?? 0)) % 65_521;
  return sum % countersSlots;
}

/** The Nodes of which a list may lack captures, or has old counters: sorted. */
function missingNodes(
  agents: readonly ReportingAgent[],
  silent: readonly ReportingAgent[],
): readonly string[] {
  const complete = new Set(
    agents.filter(({ isSynced, leftOut }) => isSynced && leftOut === 0).map(({ node }) => node),
  );
  const incomplete = agents.map(({ node }) => node).filter((node) => !complete.has(node));
  return [...new Set([...incomplete, ...silent.map(({ node }) => node)])].toSorted();
}
