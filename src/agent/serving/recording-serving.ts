import type { LinkHandler } from '../link/link-handler.ts';
import type { LinkRoute } from '../link/link-session.ts';
import type { RecordingsOptions } from './recordings-route.ts';

/** Serves recordings to hubs. What only readers need is loaded for the first one: most agents have none. */
export function recordingServing(options: RecordingsOptions): LinkRoute {
  let route: Promise<LinkHandler> | undefined;
  return {
    methods: ['GET'],
    async handle(request) {
      route ??= import('./recordings-route.ts').then(({ recordingsRoute }) => recordingsRoute(options));
      await (await route)(request);
    },
  };
}
