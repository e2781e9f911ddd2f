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
 * APIService. Whatever fails is tried again, and is logged once until it changes.
 */
export async function keepRegistered(options: KeepRegisteredOptions): Promise<void> {
  const { certificates, onIdentity, isReady, onRegistration, everyMs, log, signal } = options;
  let lastIdentity: HubIdentity | undefined;
  let lastState = '';
  const changed = (state: string) => {
    const isChanged = state !== lastState;
    lastState = state;
    return isChanged;
  };
  while (!signal.aborted) {
    try {
      const identity = await certificates.refresh();
      if (identity !== lastIdentity) onIdentity(identity);
      lastIdentity = identity;
      if (isReady() && !signal.aborted) {
        const registration = await registerApiService(options, identity.bundle);
        onRegistration(registration);
        if (changed(JSON.stringify(registration))) logRegistration(registration, log);
      }
    } catch (error) {
      if (changed(String(error))) log.warn({ err: error }, 'failed to keep the hub registered');
    }
    await abortableSleep(everyMs, signal);
  }
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
