import type { TLSSocket } from 'node:tls';
import { type BackoffOptions, backoff } from '../../base/backoff.ts';
import { abortableSleep } from '../../kubernetes/abortable-sleep.ts';
import type { Log } from '../../kubernetes/logger.ts';
import type { HubEndpoint } from './hub-endpoints.ts';
import { LinkFailure } from './link-failure.ts';
import { linkHandshake } from './link-handshake.ts';
import { type LinkSessionOptions, serveLink } from './link-session.ts';
import { hasSigned, type TrustedAuthority } from './trusted-authority.ts';

/** Keeps one link to one address of the hub. */
export type HubDialler = AsyncDisposable & {
  /** The address is listed so by now. */
  readonly setEndpoint: (endpoint: HubEndpoint) => void;
  /** Dials at once if there is no link, and again if the link is one of another authority. */
  readonly setAuthority: (authority: TrustedAuthority) => void;
  readonly isConnected: () => boolean;
};

export type HubDiallerOptions = Pick<LinkSessionOptions, 'routes' | 'ping'> & {
  readonly endpoint: HubEndpoint;
  readonly authority: TrustedAuthority;
  readonly tlsServerName: string;
  readonly version: string;
  /** Throws if there is none. */
  readonly readToken: () => Promise<string>;
  readonly onFailure: (failure: LinkFailure) => void;
  readonly backoff?: BackoffOptions;
  readonly log: Log;
};

const handshakeMs = 10_000;
/** After a link of this age, the first wait is the shortest again. */
const settledMs = 10_000;

/** Dials until it is disposed of: then its link has ended, and everything that was answered on it. */
export function startHubDialler(options: HubDiallerOptions): HubDialler {
  const { log } = options;
  let { endpoint, authority } = options;
  const ending = new AbortController();
  const delays = backoff(options.backoff);
  let link: { readonly socket: TLSSocket; readonly sinceMs: number } | undefined;
  /** Ends the link, or what is to become one. */
  let linkEnding = new AbortController();
  let waking = new AbortController();
  let reported = '';

  const hub = { address: endpoint.address, port: endpoint.port };

  function report(failure: LinkFailure, waitMs: number): void {
    const { reason, message } = failure;
    if (reason === 'Closed' && endpoint.isTerminating)
      return log.info({ hub }, 'a hub that is being deleted ended its link');
    options.onFailure(failure);
    // Once for all that fail alike.
    if (reported !== reason) log.warn({ hub, reason, message, waitMs }, 'no link to a hub');
    reported = reason;
  }

  async function dialOnce(): Promise<LinkFailure | undefined> {
    linkEnding = new AbortController();
    const { signal: outdated } = linkEnding;
    const signal = AbortSignal.any([ending.signal, outdated]);
    try {
      const hello = { token: await options.readToken(), version: options.version };
      const { tlsServerName } = options;
      const dialled = { hub, tlsServerName, authority: authority.pem, hello, deadlineMs: handshakeMs };
      const socket = await linkHandshake({ ...dialled, signal });
      link = { socket, sinceMs: performance.now() };
      log.info({ hub }, 'connected to a hub');
      reported = '';
      const { routes, ping } = options;
      return await serveLink(socket, { hub, routes, ...(ping && { ping }), log, signal });
    } catch (error) {
      // Another authority has come during the handshake.
      if (outdated.aborted) return undefined;
      // Whatever it is, it is tried again: an agent that gives up on a hub would have to be restarted.
      return error instanceof LinkFailure ? error : new LinkFailure('Protocol', String(error), error);
    } finally {
      if (link && performance.now() - link.sinceMs >= settledMs) delays.reset();
      link = undefined;
    }
  }

  async function dial(): Promise<void> {
    while (!ending.signal.aborted) {
      const failure = endpoint.isTerminating || authority.pem === '' ? undefined : await dialOnce();
      if (ending.signal.aborted) return;
      const waitMs = delays.next();
      if (failure) report(failure, waitMs);
      await abortableSleep(waitMs, AbortSignal.any([ending.signal, waking.signal]));
      waking = new AbortController();
    }
  }

  const dialling = dial().catch((error: unknown) => log.warn({ err: error }, 'failed to dial a hub'));
  return {
    setEndpoint(listed) {
      endpoint = listed;
    },
    setAuthority(known) {
      authority = known;
      delays.reset();
      waking.abort();
      const certificate = link?.socket.getPeerX509Certificate();
      // A handshake that is on its way began with the earlier one.
      if (!(certificate && hasSigned(known, certificate))) linkEnding.abort();
    },
    isConnected: () => link !== undefined,
    async [Symbol.asyncDispose]() {
      ending.abort();
      await dialling;
    },
  };
}
