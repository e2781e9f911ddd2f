import * as v from 'valibot';
import { backoff } from '../base/backoff.ts';
import { abortableSleep } from '../kubernetes/abortable-sleep.ts';
import { ApiError } from '../kubernetes/api-error.ts';
import type { KubernetesClient } from '../kubernetes/client.ts';
import { watchCollection } from '../kubernetes/list-watch.ts';
import type { Log } from '../kubernetes/logger.ts';
import type { RequestLimits } from './planner/annotations.ts';
import {
  type CapturePolicy,
  parsePolicy,
  policyGroup,
  policyResource,
  policyVersion,
} from './planner/capture-policy.ts';
import type { PolicyChange } from './planner/policies.ts';

export type PolicyWatchOptions = {
  readonly client: Pick<KubernetesClient, 'get' | 'stream'>;
  readonly limits: RequestLimits;
  readonly log: Log;
  readonly signal: AbortSignal;
  /** How long a CRD that is missing, or a permission, stays unnoticed once it is there, give or take a quarter. */
  readonly retryMs?: number;
};

/** 5,000 agents without the CRD make 80 requests a second, which the API server answers without looking anything up. */
const defaultRetryMs = 60_000;
const groupPath = `/apis/${policyGroup}/${policyVersion}`;
const path = `${groupPath}/${policyResource}`;

/**
 * The CapturePolicies of all namespaces and each change of them, until the signal. Without the CRD there are none. An
 * agent that may not list them says so, once, and tries again.
 */
export async function* watchPolicies(
  options: PolicyWatchOptions,
): AsyncGenerator<PolicyChange, void, undefined> {
  const { signal, log, retryMs = defaultRetryMs } = options;
  const delays = backoff();
  let missing: Missing | undefined;
  for (;;) {
    const watching = watchCollection({
      client: options.client,
      path,
      parse: parsePolicy(options.limits),
      endsAfter: isRefused,
      log,
      signal,
    });
    let next = await watching.next();
    for (; next.done !== true; next = await watching.next()) {
      if (missing) log.info({ path }, 'CapturePolicies are watched now');
      missing = undefined;
      delays.reset();
      yield next.value;
    }
    if (signal.aborted || !next.value) return;
    const found = await whatIsMissing(next.value, options);
    if (found !== 'unknown' && found !== missing) {
      missing = found;
      reportMissing(found, next.value, log);
      yield found === 'crd' ? { kind: 'listed', items: [] } : { kind: 'forbidden' };
    }
    const waitMs = found === 'unknown' ? delays.next() : retryMs * (0.75 + 0.5 * Math.random());
    await abortableSleep(waitMs, signal);
    if (signal.aborted) return;
  }
}

/** The policies of one namespace as they are now (resourceVersion unset: never from a stale cache). */
export async function listPolicies(
  namespace: string,
  options: Omit<PolicyWatchOptions, 'retryMs'>,
): Promise<readonly CapturePolicy[] | 'forbidden'> {
  const { client, limits, signal } = options;
  const call = { method: 'GET', path: `${groupPath}/namespaces/${namespace}/${policyResource}` };
  try {
    const answer = v.safeParse(listSchema, await client.get({ path: call.path, signal }));
    if (!answer.success)
      throw new ApiError({ ...call, reason: 'Malformed', message: 'an answer that is not a list' });
    return answer.output.items.flatMap((object) => {
      const parsed = parsePolicy(limits)(object);
      return parsed.kind === 'valid' ? [parsed.object] : [];
    });
  } catch (error) {
    if (!(error instanceof ApiError) || !isRefused(error)) throw error;
    const missing = await whatIsMissing(error, options);
    if (missing === 'unknown') throw error;
    return missing === 'crd' ? [] : missing;
  }
}

type Missing = 'crd' | 'forbidden';

function isRefused({ status }: ApiError): boolean {
  return status === 403 || status === 404;
}

/**
 * What a refused request shows. A proxy can answer 404 as well, and an API server while it starts: only a list of groups
 * without ours shows that there are no policies.
 */
async function whatIsMissing(
  { status }: ApiError,
  { client, log, signal }: Omit<PolicyWatchOptions, 'retryMs'>,
): Promise<Missing | 'unknown'> {
  if (status === 403) return 'forbidden';
  try {
    const groups = v.safeParse(groupsSchema, await client.get({ path: '/apis', signal }));
    if (!groups.success) return 'unknown';
    return groups.output.groups.some(({ name }) => name === policyGroup) ? 'unknown' : 'crd';
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    log.debug({ err: error }, 'failed to read the API groups');
    return 'unknown';
  }
}

function reportMissing(missing: Missing, { message }: ApiError, log: Log): void {
  switch (missing) {
    case 'crd':
      log.info({ path }, 'the CRD CapturePolicy is not installed: only annotations request captures');
      return;
    case 'forbidden':
      log.warn(
        { path, message },
        'not allowed to list CapturePolicies: only annotations request captures; update the ClusterRole with the chart',
      );
  }
}

const listSchema = v.object({ items: v.array(v.unknown()) });
const groupsSchema = v.object({
  kind: v.literal('APIGroupList'),
  groups: v.array(v.object({ name: v.string() })),
});
