import { type Semaphore, semaphore } from '../../base/semaphore.ts';

/** Makes a list for a user when few others of that user are made; rejects with the signal's reason if that aborts first. */
export type ListTurns = <R>(user: string, list: () => Promise<R>, signal: AbortSignal) => Promise<R>;

/**
 * Turns of lists. Each list keeps the captures as they were when it was made until its client has read it: the more clients
 * read slowly, the more of what was. A list that waits for its turn keeps none.
 */
export function listTurns(mostPerUser = 4): ListTurns {
  const users = new Map<string, { readonly turns: Semaphore; calls: number }>();
  return async (user, list, signal) => {
    const of = users.get(user) ?? { turns: semaphore(mostPerUser), calls: 0 };
    users.set(user, of);
    of.calls += 1;
    try {
      return await of.turns(list, signal);
    } finally {
      of.calls -= 1;
      if (of.calls === 0) users.delete(user);
    }
  };
}
