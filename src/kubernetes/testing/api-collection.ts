import type { ServerResponse } from 'node:http';

/** A collection of objects as the API server has it: lists them, and tells watches of each change. */
export type ApiCollection = {
  /** Adds or replaces the object of that name. */
  readonly apply: (name: string, object: object) => void;
  readonly delete: (name: string) => void;
  readonly names: () => readonly string[];
  /** How many watches of it are open. */
  readonly watches: () => number;
  /** What was asked for, oldest first. */
  readonly queries: readonly Readonly<Record<string, string>>[];
  readonly answer: (query: Readonly<Record<string, string>>, response: ServerResponse) => void;
};

/** Starts empty. It knows no selectors: a test looks at `queries`. */
export function apiCollection(): ApiCollection {
  const objects = new Map<string, object>();
  const watches = new Set<ServerResponse>();
  const events: { readonly version: number; readonly line: string }[] = [];
  const queries: Readonly<Record<string, string>>[] = [];
  let version = 1;

  function withMetadata(name: string, object: object): object {
    const metadata = 'metadata' in object && typeof object.metadata === 'object' ? object.metadata : {};
    return { ...object, metadata: { ...metadata, name, resourceVersion: String(version) } };
  }

  function tell(type: string, object: object): void {
    const line = `${JSON.stringify({ type, object })}\n`;
    events.push({ version, line });
    for (const watch of watches) watch.write(line);
  }

  return {
    queries,
    names: () => [...objects.keys()],
    watches: () => watches.size,
    apply(name, object) {
      version += 1;
      const type = objects.has(name) ? 'MODIFIED' : 'ADDED';
      const next = withMetadata(name, object);
      objects.set(name, next);
      tell(type, next);
    },
    delete(name) {
      const object = objects.get(name);
      if (!object) return;
      version += 1;
      objects.delete(name);
      tell('DELETED', withMetadata(name, object));
    },
    answer(query, response) {
      queries.push(query);
      response.writeHead(200, { 'content-type': 'application/json' });
      if (query['watch'] === 'true') {
        response.flushHeaders();
        const since = Number(query['resourceVersion'] ?? 0);
        for (const event of events) if (event.version > since) response.write(event.line);
        watches.add(response);
        response.on('close', () => watches.delete(response));
        return;
      }
      const items = [...objects.values()];
      response.end(JSON.stringify({ metadata: { resourceVersion: String(version) }, items }));
    },
  };
}
