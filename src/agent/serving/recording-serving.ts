import type { LinkHandler } from '../link/link-handler.ts';
import type { LinkRoute } from '../link/link-session.ts';
import { type DiscardOptions, discardRoute } from './discard.ts';
import type { RecordingsOptions } from './recordings-route.ts';

/** Serves recordings to hubs. What only readers need is loaded for the first one: most agents have none. */
export function recordingServing(options: RecordingsOptions & DiscardOptions): LinkRoute {
  const discard = discardRoute(options);
  let route: Promise<LinkHandler> | undefined;
  return {
    methods: ['GET', 'DELETE'],
    async handle(request) {
      if (request.method === 'DELETE') return await discard(request);
      route ??= import('./recordings-route.ts').then(({ recordingsRoute }) => recordingsRoute(options));
      await (await route)(request);
    },
  };
}
