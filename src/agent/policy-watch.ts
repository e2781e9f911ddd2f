import * as v from 'valibot';
import { backoff } from '../base/backoff.ts';
import { abortableSleep } from '../kubernetes/abortable-sleep.ts';
import { ApiError, type Call } from '../kubernetes/api-error.ts';
import type { KubernetesClient } from '../kubernetes/client.ts';
import { type Change, type ParsedObject, watchCollection } from '../kubernetes/list-watch.ts';
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
  /** How long a CRD that is missing, or a permission, stays unnoticed once it is there, at most. */
  readonly retryMs?: number;
};

/** 5,000 agents without the CRD ask about 110 times a second, which the API server answers from memory. */
const defaultRetryMs = 60_000;
const firstRetryMs = 1_000;
/** An API server that starts refuses requests as well, for a few seconds. This many in a row take 3.5 to 7 s. */
const mostRefusals = 4;
/** An object may have 1.5 MB in etcd: this many of them fit into an answer. */
const pageItems = 25;
const groupPath = `/apis/${policyGroup}/${policyVersion}`;
const path = `${groupPath}/${policyResource}`;

/**
 * The CapturePolicies of all namespaces and each change of them, until the signal. Without the CRD there are none. An
 * agent whose requests are refused several times in a row says so, once, and tries again.
 */
export async function* watchPolicies(
  options: PolicyWatchOptions,
): AsyncGenerator<PolicyChange, void, undefined> {
  const { signal, log, retryMs = defaultRetryMs } = options;
  const waits = { minMs: Math.min(firstRetryMs, retryMs), maxMs: retryMs };
  const delays = backoff(waits);
  const unreadable = unreadableReports(log);
  let refusals = 0;
  let missing: Missing | undefined;
  for (;;) {
    const watching = watchCollection({
      client: options.client,
      path,
      parse: parsePolicy(options.limits),
      onState(state) {
        // One that may list, and not watch, is refused as well.
        if (state.kind !== 'synced' || !state.isWatching) return;
        if (missing) log.info({ path }, 'CapturePolicies are watched now');
        missing = undefined;
        refusals = 0;
        delays.reset();
      },
      endsAfter(error) {
        if (!isRefused(error)) return false;
        refusals += 1;
        // Until then, the watch goes on from where it was: its next request may be allowed.
        return error.status === 404 || refusals >= mostRefusals;
      },
      limits: { backoff: waits },
      log,
      signal,
    });
    let next = await watching.next();
    for (; next.done !== true; next = await watching.next()) {
      unreadable.report(next.value);
      yield next.value;
    }
    if (signal.aborted || !next.value) return;
    const found = await whatIsMissing(next.value, options);
    if (found === 'crd') refusals = 0;
    const isSure = found === 'crd' || refusals >= mostRefusals;
    if (isSure && found !== missing) {
      missing = found;
      reportMissing(found, next.value, log);
      yield found === 'crd' ? { kind: 'listed', items: [] } : { kind: 'forbidden' };
    }
    await abortableSleep(delays.next(), signal);
    if (signal.aborted) return;
  }
}

export type PolicyListOptions = Omit<PolicyWatchOptions, 'retryMs'> & {
  /** Whether the watch has found that the agent may not list them. One refused request alone does not show that. */
  readonly isForbidden: () => boolean;
};

/**
 * The policies of one namespace as they are now (resourceVersion unset: never from a stale cache), also those whose
 * selector cannot be read. Throws an ApiError when that cannot be known.
 */
export async function listPolicies(
  namespace: string,
  options: PolicyListOptions,
): Promise<readonly CapturePolicy[] | 'forbidden'> {
  const call = { method: 'GET', path: `${groupPath}/namespaces/${namespace}/${policyResource}` };
  try {
    const objects = await listAll(call, options);
    return objects.map((object) => valid(call, parsePolicy(options.limits)(object)));
  } catch (error) {
    if (!(error instanceof ApiError) || !isRefused(error)) throw error;
    if ((await whatIsMissing(error, options)) === 'crd') return [];
    if (options.isForbidden()) return 'forbidden';
    throw error;
  }
}

/** All pages of a list. */
async function listAll(
  call: Call,
  { client, signal }: Pick<PolicyWatchOptions, 'client' | 'signal'>,
): Promise<readonly unknown[]> {
  const objects: unknown[] = [];
  let token: string | undefined;
  do {
    const query = { limit: String(pageItems), continue: token };
    const page = v.safeParse(listSchema, await client.get({ path: call.path, query, signal }));
    if (!page.success) throw malformed(call, 'an answer that is not a list');
    objects.push(...page.output.items);
    token = page.output.metadata?.continue || undefined;
  } while (token !== undefined);
  return objects;
}

function valid(call: Call, parsed: ParsedObject<CapturePolicy>): CapturePolicy {
  if (parsed.kind === 'invalid') throw malformed(call, parsed.problem);
  return parsed.object;
}

function malformed(call: Call, message: string): ApiError {
  return new ApiError({ ...call, reason: 'Malformed', message });
}

/** `unknown`: the policies are not found, and nothing shows that there is no CRD. */
type Missing = 'crd' | 'forbidden' | 'unknown';

function isRefused({ status }: ApiError): boolean {
  return status === 403 || status === 404;
}

/** What a refused request shows. A proxy can answer 404 as well, and an API server while it starts. */
async function whatIsMissing(
  { status }: ApiError,
  options: Omit<PolicyWatchOptions, 'retryMs'>,
): Promise<Missing> {
  if (status === 403) return 'forbidden';
  try {
    return (await hasNoCrd(options)) ? 'crd' : 'unknown';
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    options.log.debug({ err: error }, 'failed to read what the API server serves');
    return 'unknown';
  }
}

/** Only a list of what the API server serves shows that there are no policies: that of all groups, or that of ours. */
async function hasNoCrd({ client, signal }: Pick<PolicyWatchOptions, 'client' | 'signal'>): Promise<boolean> {
  if (isVersionMissing(await client.get({ path: '/apis', signal }))) return true;
  try {
    return isResourceMissing(await client.get({ path: groupPath, signal }));
  } catch (error) {
    // Not the 404 of a proxy, which has no Status object.
    if (error instanceof ApiError && error.status === 404 && error.reason === 'NotFound') return true;
    throw error;
  }
}

/** Whether a list of API groups does not have the version of ours that the agent reads. */
function isVersionMissing(answer: unknown): boolean {
  const list = v.safeParse(groupsSchema, answer);
  if (!list.success) return false;
  const group = list.output.groups.find(({ name }) => name === policyGroup);
  if (!group) return true;
  return group.versions?.every(({ version }) => version !== policyVersion) ?? false;
}

/** Whether a list of the resources of our group does not have the policies: the group may have other CRDs. */
function isResourceMissing(answer: unknown): boolean {
  const list = v.safeParse(resourcesSchema, answer);
  return list.success && list.output.resources.every(({ name }) => name !== policyResource);
}

function reportMissing(missing: Missing, { message }: ApiError, log: Log): void {
  switch (missing) {
    case 'crd':
      log.info({ path }, 'the CRD CapturePolicy is not installed: only annotations request captures');
      return;
    case 'forbidden':
      log.warn(
        { path, message },
        'not allowed to list and watch CapturePolicies: only annotations request captures; update the ClusterRole with the chart',
      );
      return;
    case 'unknown':
      log.warn(
        { path, message },
        'CapturePolicies are not found, although their CRD may be installed: only annotations request captures',
      );
  }
}

/** The author of such a policy sees no Event: no Pod is selected. Each problem is logged once. */
function unreadableReports(log: Log): { readonly report: (change: Change<CapturePolicy>) => void } {
  const reported = new Map<string, string>();
  function compare({ namespace, name, selectorProblem }: CapturePolicy): void {
    const key = `${namespace}/${name}`;
    if (reported.get(key) === selectorProblem) return;
    reported.delete(key);
    if (selectorProblem === undefined) return;
    reported.set(key, selectorProblem);
    log.warn(
      { namespace, name, problem: selectorProblem },
      'a CapturePolicy cannot be read: it selects no Pod',
    );
  }
  return {
    report(change) {
      switch (change.kind) {
        case 'listed': {
          const names = new Set(change.items.map(({ namespace, name }) => `${namespace}/${name}`));
          for (const key of reported.keys()) if (!names.has(key)) reported.delete(key);
          return change.items.forEach(compare);
        }
        case 'applied':
          return compare(change.object);
        case 'deleted':
          return void reported.delete(`${change.object.namespace}/${change.object.name}`);
      }
    },
  };
}

const listSchema = v.object({
  metadata: v.optional(v.object({ continue: v.optional(v.string()) })),
  items: v.array(v.unknown()),
});
const groupsSchema = v.object({
  kind: v.literal('APIGroupList'),
  groups: v.array(
    v.object({ name: v.string(), versions: v.optional(v.array(v.object({ version: v.string() }))) }),
  ),
});
const resourcesSchema = v.object({
  kind: v.literal('APIResourceList'),
  resources: v.array(v.object({ name: v.string() })),
});
