/** What decides whether a replica is ready. Times of a clock that cannot be set. */
export type HubCondition = {
  readonly nowMs: number;
  /** Since when the API is served; undefined: not yet. */
  readonly servingSinceMs: number | undefined;
  readonly connectedAgents: number;
  /** Undefined: not known yet. */
  readonly expectedAgents: number | undefined;
  readonly isStopping: boolean;
  /** It was ready before. */
  readonly wasReady: boolean;
};

/** Agents that cannot connect keep no replica from serving those that can. */
const longestWaitForAgentsMs = 60_000;

/**
 * Why a replica is not ready; empty when it is. One that has just started knows no captures: it waits for the agents, so
 * that lists are complete. Once it was ready, it stays so until it stops: agents that are lost are named in each list.
 */
export function hubUnreadyReasons(condition: HubCondition): string[] {
  const { nowMs, servingSinceMs, connectedAgents, expectedAgents, isStopping, wasReady } = condition;
  if (isStopping) return ['stopping'];
  if (servingSinceMs === undefined) return ['the API is not served yet'];
  const isComplete = expectedAgents !== undefined && connectedAgents >= expectedAgents;
  if (wasReady || isComplete || nowMs - servingSinceMs >= longestWaitForAgentsMs) return [];
  return [`agents connected: ${connectedAgents} of ${expectedAgents ?? 'an unknown number'}`];
}

/** Tells the same again and again, and remembers whether the replica was ready before. */
export function trackHubReadiness(sample: () => Omit<HubCondition, 'wasReady'>): () => string[] {
  let wasReady = false;
  return () => {
    const reasons = hubUnreadyReasons({ ...sample(), wasReady });
    wasReady ||= reasons.length === 0;
    return reasons;
  };
}
