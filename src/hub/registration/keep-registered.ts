import { abortableSleep } from '../../kubernetes/abortable-sleep.ts';
import type { Log } from '../../kubernetes/logger.ts';
import type { HubCertificates, HubIdentity } from '../certificates/hub-certificates.ts';
import { type Registration, type RegistrationOptions, registerApiService } from './api-service.ts';

export type KeepRegisteredOptions = RegistrationOptions & {
  readonly certificates: HubCertificates;
  /** With the first identity, and each time it changes. */
  readonly onIdentity: (identity: HubIdentity) => void;
  /** An APIService whose Service has no ready replica would be unavailable. */
  readonly isReady: () => boolean;
  readonly onRegistration: (registration: Registration) => void;
  readonly everyMs: number;
  readonly log: Log;
  readonly signal: AbortSignal;
};

/**
 * Until the signal, looks again and again at what the hub keeps in the cluster: its authorities, and once it is ready its
 * APIService. Whatever fails is tried again, is logged once until it changes, and keeps nothing else from being done.
 */
export async function keepRegistered(options: KeepRegisteredOptions): Promise<void> {
  const { certificates, onIdentity, isReady, onRegistration, everyMs, log, signal } = options;
  let identity: HubIdentity | undefined;
  let lastRegistration = '';
  const attempt = attempts(log);
  while (!signal.aborted) {
    const before = identity;
    identity = (await attempt('certificates', certificates.refresh)) ?? before;
    if (identity) {
      const current = identity;
      if (current !== before) onIdentity(current);
      await attempt('authorities', () => certificates.publish(current));
      const registration =
        isReady() && !signal.aborted
          ? await attempt('APIService', () => registerApiService(options, current.bundle))
          : undefined;
      if (registration) {
        onRegistration(registration);
        if (JSON.stringify(registration) !== lastRegistration) logRegistration(registration, log);
        lastRegistration = JSON.stringify(registration);
      }
    }
    await abortableSleep(everyMs, signal);
  }
}

type Attempt = <T>(what: string, work: () => Promise<T>) => Promise<T | undefined>;

/** Does work that may fail, and logs each failure of the same work once, until it fails for another reason. */
function attempts(log: Log): Attempt {
  const problems = new Map<string, string>();
  return async (what, work) => {
    try {
      const done = await work();
      problems.delete(what);
      return done;
    } catch (error) {
      if (problems.get(what) !== String(error))
        log.warn({ what, err: error }, 'failed to keep the hub registered');
      problems.set(what, String(error));
      return undefined;
    }
  };
}

function logRegistration(registration: Registration, log: Log): void {
  switch (registration.kind) {
    case 'registered':
      log.info({}, 'API registered');
      return;
    case 'leaving':
      log.info({}, 'API not registered: the hub is being removed');
      return;
    case 'taken':
      log.warn({ by: registration.by }, 'API not registered: another hub has registered it');
  }
}
