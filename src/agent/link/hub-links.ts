import type { BackoffOptions } from '../../base/backoff.ts';
import { bearerToken } from '../../kubernetes/bearer-token.ts';
import type { KubernetesClient } from '../../kubernetes/client.ts';
import { watchCollection } from '../../kubernetes/list-watch.ts';
import type { Log } from '../../kubernetes/logger.ts';
import { linkPaths } from '../../link/protocol.ts';
import { type HubDialler, startHubDialler } from './hub-dialler.ts';
import { type HubEndpointSlices, hubEndpoints, parseEndpointSlice, slicesAfter } from './hub-endpoints.ts';
import { type HubService, hubNames } from './hub-service.ts';
import { LinkFailure, type LinkFailureReason } from './link-failure.ts';
import type { HubAddress } from './link-handler.ts';
import type { LinkRoutes, LinkSessionOptions } from './link-session.ts';
import { tokenRoute } from './token-route.ts';
import { parseTrustedAuthority, type TrustedAuthority } from './trusted-authority.ts';

/** The links to every replica of the hub. */
export type HubLinks = AsyncDisposable & {
  readonly counts: () => LinkCounts;
  /** The replicas that the agent connects to. */
  readonly hubs: () => readonly HubAddress[];
};

export type LinkCounts = {
  /** How many addresses the hub has. */
  readonly hubs: number;
  /** To how many of them there is a link. */
  readonly connected: number;
  /** Since the agent started. */
  readonly failures: ReadonlyMap<LinkFailureReason, number>;
};

/** Of an agent without a hub. */
export const noLinks: LinkCounts = { hubs: 0, connected: 0, failures: new Map() };

export type HubLinksOptions = Pick<LinkSessionOptions, 'ping'> & {
  readonly hub: HubService;
  readonly client: Pick<KubernetesClient, 'get' | 'stream'>;
  readonly version: string;
  /** Of the projected token by which the agent says who it is. */
  readonly tokenFile: string;
  /** Who answers what a hub asks for, by path; the token is answered here. */
  readonly routes: LinkRoutes;
  readonly backoff?: BackoffOptions;
  /** Of a monotonic clock. */
  readonly nowMs?: () => number;
  readonly log: Log;
};

/** Dials every replica of the hub, whenever one comes or goes, until it is disposed of. */
export function startHubLinks(options: HubLinksOptions): HubLinks {
  const { log } = options;
  const names = hubNames(options.hub);
  const ending = new AbortController();
  const diallers = new Map<string, HubDialler>();
  const closing = new Set<Promise<void>>();
  const failures = new Map<LinkFailureReason, number>();
  const token = bearerToken({ kind: 'token-file', path: options.tokenFile }, options.nowMs);
  const readToken = async () => {
    try {
      return (await token.read()) ?? '';
    } catch (error) {
      throw new LinkFailure('NoToken', error instanceof Error ? error.message : String(error), error);
    }
  };
  const routes = new Map([...options.routes, [linkPaths.token, tokenRoute(readToken)]]);
  let slices: HubEndpointSlices = new Map();
  let authority: TrustedAuthority = { pem: '' };

  function dialEach(): void {
    const endpoints = hubEndpoints(slices);
    for (const [key, dialler] of diallers) {
      if (endpoints.has(key)) continue;
      diallers.delete(key);
      const closed = end(dialler).finally(() => closing.delete(closed));
      closing.add(closed);
    }
    for (const [key, endpoint] of endpoints) {
      diallers.get(key)?.setEndpoint(endpoint);
      if (diallers.has(key)) continue;
      const onFailure = ({ reason }: LinkFailure) => {
        failures.set(reason, (failures.get(reason) ?? 0) + 1);
      };
      const { tlsServerName } = names;
      diallers.set(
        key,
        startHubDialler({ ...options, endpoint, authority, tlsServerName, readToken, routes, onFailure }),
      );
    }
  }

  async function followEndpoints(): Promise<void> {
    const changes = watchCollection({
      ...options,
      path: `/apis/discovery.k8s.io/v1/namespaces/${names.namespace}/endpointslices`,
      labelSelector: `kubernetes.io/service-name=${names.service}`,
      parse: parseEndpointSlice,
      signal: ending.signal,
    });
    for await (const change of changes) {
      slices = slicesAfter(slices, change);
      dialEach();
    }
  }

  async function followAuthority(): Promise<void> {
    const changes = watchCollection({
      ...options,
      path: `/api/v1/namespaces/${names.namespace}/configmaps`,
      fieldSelector: `metadata.name=${names.caConfigMap}`,
      parse: parseTrustedAuthority,
      signal: ending.signal,
    });
    for await (const change of changes) {
      // Without the ConfigMap, the authority that is known stays: somebody deleted it, and the hub writes it again.
      const known = change.kind === 'listed' ? change.items[0] : change.kind === 'applied' && change.object;
      if (!known || known.pem === '' || known.pem === authority.pem) continue;
      authority = known;
      for (const dialler of diallers.values()) dialler.setAuthority(authority);
    }
  }

  const following = Promise.all([followEndpoints(), followAuthority()]).catch((error: unknown) =>
    log.warn({ err: error }, 'failed to follow the hub'),
  );
  return {
    hubs: () => [...hubEndpoints(slices).values()],
    counts: () => ({
      hubs: diallers.size,
      connected: [...diallers.values()].filter((dialler) => dialler.isConnected()).length,
      failures,
    }),
    async [Symbol.asyncDispose]() {
      ending.abort();
      await following;
      await Promise.all([...closing, ...[...diallers.values()].map(end)]);
    },
  };
}

async function end(dialler: HubDialler): Promise<void> {
  await dialler[Symbol.asyncDispose]();
}
