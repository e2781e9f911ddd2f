import { serveListeners } from '../observability/listeners.ts';
import { type HubIdentity, hubCertificates } from './certificates/hub-certificates.ts';
import { type HubProgress, startingProgress } from './hub-progress.ts';
import { trackHubReadiness } from './hub-readiness.ts';
import { type HubState, hubMetrics } from './observability/hub-metrics.ts';
import { keepRegistered } from './registration/keep-registered.ts';
import { type HubOptions, hubTimes, serveHub } from './serve-hub.ts';

/**
 * Serves the captures of all Nodes by the Kubernetes API until the signal. Agents connect (agents/), what they report
 * becomes captures (captures/), the API server asks for them (api/) for users who may have them (access/), and their bytes
 * are relayed (streams/).
 */
export async function runHub(options: HubOptions): Promise<void> {
  const { settings, log, signal, times = hubTimes } = options;
  const metrics = hubMetrics();
  const state = startingProgress();
  const unreadyReasons = trackHubReadiness(() => ({
    nowMs: performance.now(),
    servingSinceMs: state.servingSinceMs,
    connectedAgents: state.link?.counts().connected ?? 0,
    expectedAgents: state.expectedAgents,
    isStopping: signal.aborted,
  }));

  await using _listeners = await serveListeners(settings, {
    stuckWork: () => [],
    unreadyReasons,
    metrics: () => metrics.text(stateForMetrics(options, state, unreadyReasons().length === 0)),
    log,
  });
  const firstIdentity = Promise.withResolvers<HubIdentity | undefined>();
  signal.addEventListener('abort', () => firstIdentity.resolve(undefined));
  const failing = new AbortController();
  const registering = keepRegistered({
    ...options,
    ...settings.deployment,
    signal: AbortSignal.any([signal, failing.signal]),
    certificates: hubCertificates({ ...options, ...settings.deployment, unixMs: Date.now }),
    onIdentity(identity) {
      state.identity = identity;
      firstIdentity.resolve(identity);
      state.onChange();
    },
    isReady: () => unreadyReasons().length === 0,
    onRegistration: ({ kind }) => {
      state.isRegistered = kind === 'registered';
    },
    everyMs: times.lookEveryMs,
  });
  try {
    const identity = await firstIdentity.promise;
    if (identity) await serveHub(options, { identity, state, metrics });
  } finally {
    failing.abort();
    await registering;
  }
}

function stateForMetrics({ version }: HubOptions, state: HubProgress, isReady: boolean): HubState {
  const { identity, expectedAgents: expected, isRegistered, link, store } = state;
  return {
    version,
    isReady,
    isRegistered,
    certificateExpiresMs: identity?.server.expiresMs,
    expectedAgents: expected,
    link: link?.counts(),
    captures: store?.counts(),
  };
}
