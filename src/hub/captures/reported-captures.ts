import { isDeepStrictEqual } from 'node:util';
import { type CountersLine, linkBounds, type ReportLine } from '../../link/protocol.ts';
import type { AgentLink } from '../agents/agent-link.ts';
import type { ReceiveReports } from '../agents/agent-reports.ts';
import type { CaptureEntries } from './capture-entries.ts';
import type { CaptureName } from './captures.ts';
import { claimOf, type RecordingClaim, type ReportingAgent, withCounters } from './recording-claim.ts';

/** What the agents say, agent by agent. It keeps the objects as they say. */
export type ReportedCaptures = {
  readonly receive: ReceiveReports;
  /** Connected or lost, for as long as something of them is shown. */
  readonly agents: () => Iterable<ReportingAgent>;
  readonly count: (agent: ReportingAgent, line: CountersLine) => void;
  /** Forgets the agents that were lost before that time, with what they said. */
  readonly forgetLostBefore: (ms: number) => void;
};

type DeletedLine = Extract<ReportLine, { readonly kind: 'deleted' }>;
type RecordingLine = Extract<ReportLine, { readonly kind: 'recording' }>;

/** Longer ago, no replica has to be told. */
export const rememberDeletedMs = 10 * 60_000;

/** Both of a Node that is lost while its agent is updated. Without a bound, one whose Pod is replaced again and again fills the memory. */
const mostLostPerNode = 2;

/** No agents yet. */
export function reportedCaptures(entries: CaptureEntries, nowMs: () => number): ReportedCaptures {
  /** By Node and Pod UID: two agents of one Node are normal while they are rolled. */
  const agents = new Map<string, ReportingAgent>();

  function replaceClaim(before: RecordingClaim | undefined, after: RecordingClaim): void {
    after.agent.claims.set(after.recording.uid, after);
    const others = (entries.get(after)?.claims ?? []).filter((claim) => claim !== before);
    entries.setClaims(after, [...others, after], 'state');
  }

  function drop(dropped: readonly RecordingClaim[]): void {
    for (const claim of dropped) {
      const { agent, recording } = claim;
      if (agent.claims.get(recording.uid) === claim) agent.claims.delete(recording.uid);
      agent.reportBytes -= claim.reportBytes;
      const left = (entries.get(claim)?.claims ?? []).filter((each) => each !== claim);
      entries.setClaims(claim, left, 'state');
    }
  }

  function forget(agent: ReportingAgent): void {
    agents.delete(agentKey(agent));
    drop([...agent.claims.values()]);
  }

  function applyRecording(agent: ReportingAgent, { recording }: RecordingLine, bytes: number): void {
    const before = agent.claims.get(recording.uid);
    const isMoved = before && (before.namespace !== recording.namespace || before.name !== recording.name);
    if (isMoved) drop([before]);
    const known = isMoved ? undefined : before;
    const isTooMany = !known && agent.claims.size >= linkBounds.recordings;
    const allBytes = agent.reportBytes + bytes - (known?.reportBytes ?? 0);
    if (isTooMany || allBytes > linkBounds.reportBytes) {
      agent.leftOut += 1;
      if (known) drop([known]);
      return;
    }
    agent.reportBytes = allBytes;
    const after = claimOf(agent, recording, bytes);
    if (known && isSame(known, after)) known.link = agent.link;
    else replaceClaim(known, after);
  }

  function applyDeleted(agent: ReportingAgent, line: DeletedLine): void {
    const ofNode = [...agents.values()].filter(({ node }) => node === agent.node);
    const gone = ofNode.flatMap(({ claims }) => claims.get(line.uid) ?? []);
    const dropped = gone.filter((claim) => isOfName(claim, line));
    drop(dropped);
    if (dropped.length > 0) return;
    const deletedMs = Date.parse(line.deletedAt);
    if (!(nowMs() - deletedMs < rememberDeletedMs) || agent.deletions >= linkBounds.recordings) return;
    if (entries.markDeleted(line, Math.min(deletedMs, nowMs()), agent.node)) agent.deletions += 1;
  }

  function applySynced(agent: ReportingAgent): void {
    agent.isSynced = true;
    drop([...agent.claims.values()].filter(({ link }) => link !== agent.link));
    for (const other of agents.values()) if (other.node === agent.node && !other.link) forget(other);
  }

  function apply(agent: ReportingAgent, line: ReportLine, bytes: number): void {
    switch (line.kind) {
      case 'recording':
        return applyRecording(agent, line, bytes);
      case 'deleted':
        return applyDeleted(agent, line);
      case 'synced':
        return applySynced(agent);
      case 'leftOut':
        agent.leftOut = line.recordings;
        return drop([...agent.claims.values()].filter(({ recording }) => recording.uid === line.uid));
      case 'heartbeat':
    }
  }

  function lose(agent: ReportingAgent): void {
    agent.link = undefined;
    agent.isSynced = false;
    agent.lostMs = nowMs();
    const hasSuccessor = [...agents.values()].some(
      ({ node, link, isSynced }) => node === agent.node && link && isSynced,
    );
    if (hasSuccessor) return forget(agent);
    for (const claim of agent.claims.values()) replaceClaim(claim, { ...claim, isStale: true });
    const lost = [...agents.values()].filter(({ node, link }) => node === agent.node && !link);
    for (const older of lost
      .toReversed()
      .toSorted((a, b) => b.lostMs - a.lostMs)
      .slice(mostLostPerNode))
      forget(older);
  }

  return {
    receive(link) {
      const agent = agents.get(agentKey(link)) ?? newAgent(link);
      agents.set(agentKey(link), agent);
      agent.link = link;
      agent.isSynced = false;
      agent.leftOut = 0;
      return {
        // A link that was replaced by another of the same agent says nothing any more.
        receive(line, bytes) {
          if (agent.link === link) apply(agent, line, bytes);
        },
        disconnected() {
          if (agent.link === link) lose(agent);
        },
      };
    },
    agents: () => agents.values(),
    count(agent, { uid, counters }) {
      const before = agent.claims.get(uid);
      if (!before) return;
      const after = withCounters(before, counters);
      if (after === before) return;
      agent.claims.set(uid, after);
      const claims = (entries.get(after)?.claims ?? []).map((claim) => (claim === before ? after : claim));
      entries.setClaims(after, claims, 'counters');
    },
    forgetLostBefore(ms) {
      for (const agent of agents.values()) if (!agent.link && agent.lostMs < ms) forget(agent);
    },
  };
}

function newAgent(link: AgentLink): ReportingAgent {
  const { node, podUid } = link;
  const nothing = { isSynced: false, leftOut: 0, deletions: 0, reportBytes: 0 };
  return { node, podUid, link, lostMs: 0, ...nothing, claims: new Map() };
}

function agentKey({ node, podUid }: { readonly node: string; readonly podUid: string }): string {
  return `${node} ${podUid}`;
}

function isOfName(claim: RecordingClaim, { namespace, name }: CaptureName): boolean {
  return claim.namespace === namespace && claim.name === name;
}

function isSame(a: RecordingClaim, b: RecordingClaim): boolean {
  return !a.isStale && isDeepStrictEqual(a.recording, b.recording) && isDeepStrictEqual(a.labels, b.labels);
}
