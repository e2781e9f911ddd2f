/** At most this many names: a header must stay short, and nobody reads more. */
const mostNames = 10;

/**
 * The Warning header of a list that may lack captures (RFC 7234, as kubectl prints it); undefined if it lacks none.
 */
export function incompleteWarning(
  missingNodes: readonly string[],
  uncheckedNamespaces: readonly string[],
): string | undefined {
  const sentences = [
    ...(missingNodes.length === 0
      ? []
      : [`the list may lack captures: no answer from the agent of ${names('Node', missingNodes)}`]),
    ...(uncheckedNamespaces.length === 0
      ? []
      : [
          `captures may be older than their namespace: the API server did not say how old it is, for ${names('namespace', uncheckedNamespaces)}`,
        ]),
  ];
  return sentences.length === 0 ? undefined : `299 - "podcap: ${quoted(sentences.join('; '))}"`;
}

function names(what: string, all: readonly string[]): string {
  const shown = all.slice(0, mostNames).join(', ');
  const others = all.length - mostNames;
  return `${what}${all.length === 1 ? '' : 's'} ${shown}${others > 0 ? ` and ${others} more` : ''}`;
}

/** Inside a quoted-string: names come from agents, so nothing but plain ASCII passes. */
function quoted(text: string): string {
  return text.replaceAll(/[^ -~]|["\\]/g, '?').slice(0, 4_096);
}
