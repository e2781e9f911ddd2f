import * as v from 'valibot';
import { kubernetesClient } from '../../src/kubernetes/client.ts';
import { watchCollection } from '../../src/kubernetes/list-watch.ts';
import { parsePod } from '../../src/kubernetes/pod.ts';

/** What the bench requests: start all watches, stop them, or return how many changes they have delivered. */
const orderSchema = v.picklist(['start', 'stop', 'count']);

/** Many watches in one process, each made as an agent makes it, with a client of its own. */
function main(): void {
  const { server, ca, token, nodes } = v.parse(startSchema, JSON.parse(process.argv[2] ?? ''));
  let changes = 0;
  let stopping = new AbortController();
  let running: readonly Promise<void>[] = [];

  async function watch(node: string, synced: () => void): Promise<void> {
    const { signal } = stopping;
    await using client = kubernetesClient({
      server: new URL(server),
      ca,
      credentials: { kind: 'token', token },
    });
    for await (const change of watchCollection({
      client,
      path: '/api/v1/pods',
      fieldSelector: `spec.nodeName=${node}`,
      parse: parsePod,
      onState: ({ kind }) => kind === 'synced' && synced(),
      log: { debug() {}, info() {}, warn: (fields, message) => console.error(message, fields) },
      signal,
    }))
      if (change.kind !== 'listed') changes += 1;
  }

  async function follow(order: v.InferOutput<typeof orderSchema>): Promise<number> {
    switch (order) {
      case 'start': {
        stopping = new AbortController();
        const started = nodes.map((node) => {
          const { promise, resolve } = Promise.withResolvers<void>();
          return { watching: watch(node, resolve), synced: promise };
        });
        running = started.map(({ watching }) => watching);
        await Promise.all(started.map(({ synced }) => synced));
        return 0;
      }
      case 'stop':
        stopping.abort();
        await Promise.all(running);
        return 0;
      case 'count':
        return changes;
    }
  }

  process.on('message', (order) => {
    void follow(v.parse(orderSchema, order)).then((result) => process.send?.(result));
  });
  process.once('disconnect', () => stopping.abort());
}

const startSchema = v.object({
  server: v.string(),
  ca: v.string(),
  token: v.string(),
  nodes: v.array(v.string()),
});

main();
