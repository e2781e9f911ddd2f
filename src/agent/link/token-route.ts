import { respondUntilComplete } from '../../link/complete-answer.ts';
import type { LinkRoute } from './link-session.ts';

/** Answers with the agent's token of now: the hub asks before the one that it knows expires. */
export function tokenRoute(readToken: () => Promise<string>): LinkRoute {
  return {
    methods: ['GET'],
    async handle({ stream }) {
      const token = await readToken();
      respondUntilComplete(stream, { ':status': 200, 'content-type': 'text/plain' });
      stream.end(token);
    },
  };
}
