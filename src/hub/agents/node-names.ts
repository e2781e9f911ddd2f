/** What a client may name as a Node, as the parameter `node` of a request does. */
export const nodeNameRule = {
  pattern: /^[a-z0-9]([-.a-z0-9]{0,251}[a-z0-9])?$/,
  allowed: 'the name of a Node: at most 253 lower-case letters, digits, "-" and "."',
} as const;

const mostNodes = 10;

/** Nodes in a sentence: no more than somebody reads. */
export function listedNodes(nodes: readonly string[]): string {
  const more = nodes.length - mostNodes;
  return nodes.slice(0, mostNodes).join(', ') + (more > 0 ? ` and ${more} more` : '');
}
