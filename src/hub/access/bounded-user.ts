import type { Caller } from './access.ts';

const serviceAccount = /^(system:serviceaccount:[^:]+):[^:]+$/;

/**
 * Whom the bounds of one user are counted for. The ServiceAccounts of a namespace share them: whoever may create Pods there
 * can act as any of them, and create more.
 */
export function boundedUser({ user }: Pick<Caller, 'user'>): string {
  return serviceAccount.exec(user)?.[1] ?? user;
}
