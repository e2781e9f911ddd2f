import type { KubernetesClient } from '../../kubernetes/client.ts';
import { type Change, type WatchLimits, watchCollection } from '../../kubernetes/list-watch.ts';
import type { Log } from '../../kubernetes/logger.ts';
import {
  type FrontProxyTrust,
  frontProxyConfig,
  parseFrontProxyConfig,
  readFrontProxyTrust,
  type TrustProblem,
} from './front-proxy-trust.ts';

/** Whom the hub believes to be the API server, kept up to date. */
export type FrontProxyWatch = AsyncDisposable & {
  /** Undefined while nothing usable is known: nobody is trusted then. */
  readonly trust: () => FrontProxyTrust | undefined;
  /** The first answer. A problem is a reason not to start. Rejects with the signal's reason. */
  readonly first: Promise<FrontProxyTrust | TrustProblem>;
};

export type FrontProxyWatchOptions = {
  readonly client: Pick<KubernetesClient, 'get' | 'stream'>;
  readonly log: Log;
  readonly signal: AbortSignal;
  /** Called when `trust` returns something else than before, after the first answer: the TLS context has to follow. */
  readonly onChange: () => void;
  readonly limits?: Partial<WatchLimits>;
};

/**
 * Watches ConfigMap kube-system/extension-apiserver-authentication. While the API server cannot be reached, or the
 * ConfigMap is gone, what was known stays: kube-apiserver writes it again. What cannot be used replaces it: then nobody is
 * trusted.
 */
export function watchFrontProxy(options: FrontProxyWatchOptions): FrontProxyWatch {
  const { client, log, limits = {} } = options;
  const stop = new AbortController();
  const signal = AbortSignal.any([options.signal, stop.signal]);
  const first = Promise.withResolvers<FrontProxyTrust | TrustProblem>();
  // Who does not wait for it, because the hub ends first, must not end the process.
  first.promise.catch(() => {});
  let known: string | undefined;
  let trust: FrontProxyTrust | undefined;

  function take(data: Readonly<Record<string, string>>): void {
    const text = JSON.stringify(data);
    if (text === known) return;
    const isFirst = known === undefined;
    known = text;
    const read = readFrontProxyTrust(data);
    trust = read.kind === 'trust' ? read : undefined;
    if (read.kind === 'problem') {
      log.warn({ reason: read.reason, problem: read.message }, 'trust no front proxy');
    }
    if (!isFirst) options.onChange();
    first.resolve(read);
  }

  async function follow(): Promise<void> {
    const changes = watchCollection({
      client,
      path: `/api/v1/namespaces/${frontProxyConfig.namespace}/configmaps`,
      fieldSelector: `metadata.name=${frontProxyConfig.name}`,
      parse: parseFrontProxyConfig,
      log,
      signal,
      limits,
    });
    for await (const change of changes) {
      const data = dataOf(change);
      if (data) take(data);
      else log.warn(frontProxyConfig, 'missing the configuration of the front proxy');
    }
    first.reject(signal.reason);
  }

  const following = follow();
  return {
    trust: () => trust,
    first: first.promise,
    async [Symbol.asyncDispose]() {
      stop.abort();
      await following;
    },
  };
}

/** Undefined: it does not exist. */
function dataOf(
  change: Change<Readonly<Record<string, string>>>,
): Readonly<Record<string, string>> | undefined {
  switch (change.kind) {
    case 'listed':
      return change.items[0];
    case 'applied':
      return change.object;
    case 'deleted':
      return undefined;
  }
}
