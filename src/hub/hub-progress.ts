import type { LinkServer } from './agents/link-server.ts';
import type { CaptureStore } from './captures/capture-store.ts';
import type { HubIdentity } from './certificates/hub-certificates.ts';

/** What changes while the hub runs. */
export type HubProgress = {
  identity: HubIdentity | undefined;
  servingSinceMs: number | undefined;
  expectedAgents: number | undefined;
  isRegistered: boolean;
  link: LinkServer | undefined;
  store: CaptureStore | undefined;
  /** The certificate or the authorities of clients have changed. */
  onChange: () => void;
};

/** At the start, nothing is known. */
export function startingProgress(): HubProgress {
  return {
    identity: undefined,
    servingSinceMs: undefined,
    expectedAgents: undefined,
    isRegistered: false,
    link: undefined,
    store: undefined,
    onChange() {},
  };
}
