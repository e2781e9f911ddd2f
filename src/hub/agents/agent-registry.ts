import type { AgentLink, ConnectedAgents } from './agent-link.ts';

/** The agents that are connected, and who may connect beside them. */
export type AgentRegistry = ConnectedAgents & {
  readonly count: () => number;
  /** Adds a link. Links that must end for it are ended with that reason. Disposing of the result removes it. */
  readonly add: (link: AgentLink, end: (why: string) => void) => Disposable;
};

/** One in normal operation, two while agents are rolled, and one whose end has not been noticed yet. */
const mostPerNode = 4;

/**
 * A registry. A Node can have several agents; of one Pod, the newest link counts, because its end of an older one is
 * gone even if the hub has not noticed.
 */
export function agentRegistry(): AgentRegistry {
  /** Newest first. */
  const byNode = new Map<string, readonly RegisteredLink[]>();
  const remove = (added: RegisteredLink) => {
    const left = (byNode.get(added.link.node) ?? []).filter((each) => each !== added);
    if (left.length === 0) byNode.delete(added.link.node);
    else byNode.set(added.link.node, left);
  };
  return {
    all: () => [...byNode.values()].flat().map(({ link }) => link),
    ofNode: (node) => (byNode.get(node) ?? []).map(({ link }) => link),
    count: () => [...byNode.values()].reduce((sum, links) => sum + links.length, 0),
    add(link, end) {
      const before = byNode.get(link.node) ?? [];
      const added = { link, end };
      byNode.set(link.node, [added, ...before]);
      const others = before.filter((each) => each.link.podUid !== link.podUid);
      for (const older of before) if (!others.includes(older)) older.end('Replaced');
      for (const oldest of others.slice(mostPerNode - 1)) oldest.end('TooManyOfNode');
      return { [Symbol.dispose]: () => remove(added) };
    },
  };
}

type RegisteredLink = { readonly link: AgentLink; readonly end: (why: string) => void };
