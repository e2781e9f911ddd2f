import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import { abortableSleep } from '../kubernetes/abortable-sleep.ts';
import type { KubernetesClient } from '../kubernetes/client.ts';
import { auditLog } from './access/audit.ts';
import { authorizer } from './access/authorizer.ts';
import { frontProxy } from './access/front-proxy.ts';
import type { FrontProxyTrust } from './access/front-proxy-trust.ts';
import { type FrontProxyWatch, watchFrontProxy } from './access/front-proxy-watch.ts';
import { namespaces } from './access/namespaces.ts';
import { type LinkServer, linkServer } from './agents/link-server.ts';
import { tokenReviews } from './agents/token-review.ts';
import { type HubApi, type HubApiTls, startHubApi } from './api/hub-api.ts';
import { type CaptureStore, captureStore } from './captures/capture-store.ts';
import type { HubIdentity } from './certificates/hub-certificates.ts';
import { expectedAgents } from './expected-agents.ts';
import type { HubProgress } from './hub-progress.ts';
import type { HubSettings } from './hub-settings.ts';
import type { HubMetrics } from './observability/hub-metrics.ts';
import { deregisterApiService } from './registration/api-service.ts';
import { streamHandler } from './streams/stream-handler.ts';

export type HubOptions = {
  readonly settings: HubSettings;
  readonly version: string;
  readonly client: KubernetesClient;
  readonly log: Logger;
  /** Ends the hub in an orderly way. */
  readonly signal: AbortSignal;
  readonly times?: HubTimes;
};

export type HubTimes = {
  /** How often the hub looks at what it keeps in the cluster, and at the DaemonSet of the agents. */
  readonly lookEveryMs: number;
  /** How long a stopping replica goes on serving: until then, requests still arrive that were on their way to it. */
  readonly lameDuckMs: number;
  /** How long requests may go on afterwards. Together, less than terminationGracePeriodSeconds. */
  readonly graceMs: number;
};

export const hubTimes: HubTimes = { lookEveryMs: 10_000, lameDuckMs: 3_000, graceMs: 10_000 };

export type Serving = {
  readonly identity: HubIdentity;
  readonly state: HubProgress;
  readonly metrics: HubMetrics;
};

/** Serves agents and the API server until the signal, and some seconds longer. */
export async function serveHub(options: HubOptions, serving: Serving): Promise<void> {
  const { settings, log } = options;
  const { state } = serving;
  const trust = await firstTrust(options, serving);
  if (!trust) return;
  await using frontProxyTrust = trust;
  using store = captureStore();
  await using link = openLink(options, serving, store);
  await link.listen(settings.linkPort);
  await using api = await openApi(options, { ...serving, trust: frontProxyTrust.trust, store, link });
  state.onChange = () => {
    const current = state.identity ?? serving.identity;
    link.setCertificate(current.server);
    api.setTls(tlsOf(current, frontProxyTrust.trust()));
  };
  state.onChange();
  state.store = store;
  state.link = link;
  state.servingSinceMs = performance.now();
  log.info({ version: options.version }, 'hub started');
  await followAgents(options, state);
  log.info({}, 'hub stopping');
  await leave(options);
  link.stopAccepting();
}

/** Undefined if the hub is stopped first. Throws if nobody, or anybody, would be taken for the API server. */
async function firstTrust(
  { client, log, signal }: HubOptions,
  { state }: Serving,
): Promise<FrontProxyWatch | undefined> {
  const watch = watchFrontProxy({ client, log, signal, onChange: () => state.onChange() });
  await using resources = new AsyncDisposableStack();
  resources.use(watch);
  const first = await watch.first.catch((error: unknown) => {
    if (signal.aborted) return undefined;
    throw error;
  });
  if (!first) return undefined;
  if (first.kind === 'problem') throw new Error(`${first.reason}: ${first.message}`);
  resources.move();
  return watch;
}

function openLink(
  { settings, version, client, log }: HubOptions,
  { identity }: Serving,
  store: CaptureStore,
) {
  const { namespace, name } = settings.agentAccount;
  return linkServer({
    certificate: identity.server,
    reviews: tokenReviews({ client, account: `system:serviceaccount:${namespace}:${name}` }),
    receiveReports: store.receiveReports,
    version,
    log,
  });
}

type ApiParts = Serving & {
  readonly trust: () => FrontProxyTrust | undefined;
  readonly store: CaptureStore;
  readonly link: LinkServer;
};

async function openApi(options: HubOptions, parts: ApiParts): Promise<HubApi> {
  const { settings, version, client, log, signal, times = hubTimes } = options;
  const { identity, metrics, trust, store, link } = parts;
  const access = {
    identify: frontProxy({ trust, onRefusal: metrics.onCallerRefused }),
    authorize: authorizer({ client, log }),
  };
  const sources = { captures: store, access, namespaces: namespaces({ client, log }) };
  return await startHubApi({
    ...sources,
    port: settings.apiPort,
    tls: tlsOf(identity, trust()),
    subresources: streamHandler({
      ...sources,
      authorize: access.authorize,
      agents: link.agents,
      audit: auditLog((line) => process.stdout.write(line)),
      events: metrics.streams,
      bounds: { perHub: settings.maxStreams, perUser: settings.maxStreamsPerUser },
    }),
    notReady: () => (signal.aborted ? 'stopping' : undefined),
    version,
    log,
    onAnswered: metrics.onAnswered,
    graceMs: times.graceMs,
  });
}

function tlsOf({ server: { cert, key } }: HubIdentity, trust: FrontProxyTrust | undefined): HubApiTls {
  return { cert, key, clientCa: trust?.ca ?? '' };
}

/** Until the signal, knows how many agents there are: more or less exactly, for readiness and metrics. */
async function followAgents(options: HubOptions, state: HubProgress): Promise<void> {
  const { settings, client, log, signal, times = hubTimes } = options;
  let lastProblem = '';
  while (!signal.aborted) {
    try {
      state.expectedAgents = await expectedAgents({ client, ...settings.daemonSet, signal });
      lastProblem = '';
    } catch (error) {
      if (!signal.aborted && String(error) !== lastProblem)
        log.warn({ err: error }, 'failed to read the DaemonSet of the agents');
      lastProblem = String(error);
    }
    await abortableSleep(times.lookEveryMs, signal);
  }
}

/** Takes the API back if no replica is to follow, and serves what still arrives. */
async function leave({ settings, client, log, times = hubTimes }: HubOptions): Promise<void> {
  const lameDuck = sleep(times.lameDuckMs);
  try {
    const isDeleted = await deregisterApiService({ client, ...settings.deployment });
    if (isDeleted) log.info({}, 'API deregistered: no replicas are wanted');
  } catch (error) {
    // Uninstalled: the garbage collector deletes the APIService.
    log.info({ err: error }, 'failed to ask whether replicas are wanted');
  }
  await lameDuck;
}
