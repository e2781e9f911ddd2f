import * as v from 'valibot';
import { until } from '../../src/base/until.ts';
import type { KubernetesClient } from '../../src/kubernetes/client.ts';

/** An Event, as far as the tests read it. */
export type ObservedEvent = v.InferOutput<typeof eventSchema>;

/** The Events of one namespace. Pods are named by their UID. */
export type NamespaceEvents = {
  /** Waits for the Event with that reason whose message contains `part`. */
  readonly event: (uid: string, reason: string, part?: string) => Promise<ObservedEvent>;
  readonly events: (uid: string) => Promise<ObservedEvent[]>;
};

/** Events are read with the rights of `client`. */
export function namespaceEvents(client: KubernetesClient, namespace: string): NamespaceEvents {
  async function events(uid: string): Promise<ObservedEvent[]> {
    const list = await client.get({
      path: `/api/v1/namespaces/${namespace}/events`,
      query: { fieldSelector: `involvedObject.uid=${uid}` },
    });
    return v.parse(eventsSchema, list).items;
  }

  return {
    events,
    async event(uid, reason, part = '') {
      const isIt = (event: ObservedEvent) => event.reason === reason && event.message.includes(part);
      return await until(async () => (await events(uid)).find(isIt), {
        what: `an Event ${reason} ${part}`,
        deadlineMs: 30_000,
      });
    },
  };
}

const eventSchema = v.object({ type: v.string(), reason: v.string(), message: v.string() });
const eventsSchema = v.object({ items: v.array(eventSchema) });
