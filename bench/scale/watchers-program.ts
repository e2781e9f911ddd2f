import * as v from 'valibot';
import { watchPolicies } from '../../src/agent/policy-watch.ts';
import { kubernetesClient } from '../../src/kubernetes/client.ts';
import { watchCollection } from '../../src/kubernetes/list-watch.ts';
import { parsePod } from '../../src/kubernetes/pod.ts';

/** What the bench requests: start all watches of Pods or of policies, stop them, or return how many changes they have delivered. */
const orderSchema = v.picklist(['start', 'startPolicies', 'stop', 'count']);

/** Many watches in one process, each made as an agent makes it, with a client of its own. */
function main(): void {
  const { server, ca, token, nodes } = v.parse(startSchema, JSON.parse(process.argv[2] ?? ''));
  let changes = 0;
  let stopping = new AbortController();
  let running: readonly Promise<void>[] = [];

  const open = () => kubernetesClient({ server: new URL(server), ca, credentials: { kind: 'token', token } });
  const log = {
    debug() {},
    info() {},
    warn: (fields: object, message: string) => console.error(message, fields),
  };

  async function watchPods(node: string, synced: () => void): Promise<void> {
    const { signal } = stopping;
    await using client = open();
    for await (const change of watchCollection({
      client,
      path: '/api/v1/pods',
      fieldSelector: `spec.nodeName=${node}`,
      parse: parsePod,
      onState: ({ kind }) => kind === 'synced' && synced(),
      log,
      signal,
    }))
      if (change.kind !== 'listed') changes += 1;
  }

  async function watchAllPolicies(_node: string, synced: () => void): Promise<void> {
    const { signal } = stopping;
    await using client = open();
    const limits = { maxFiles: 100, maxFileMegabytes: 100 };
    for await (const change of watchPolicies({ client, limits, log, signal }))
      if (change.kind === 'listed') synced();
      else changes += 1;
  }

  async function follow(order: v.InferOutput<typeof orderSchema>): Promise<number> {
    switch (order) {
      case 'start':
      case 'startPolicies': {
        const watch = order === 'start' ? watchPods : watchAllPolicies;
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
