import { until } from '../../src/base/until.ts';
import { kubectl } from './run-kubectl.ts';

/** The APIService of the hub, of which a cluster has one. */
export const hubApiService = 'apiservice/v1alpha1.podcap.dev';

/** Waits until the API server reaches the hub of that Service. */
export async function hubServes(service: string): Promise<void> {
  const fields = '{.spec.service.name} {.status.conditions[?(@.type=="Available")].status}';
  const state = async () =>
    (await kubectl('get', hubApiService, '-o', `jsonpath=${fields}`).catch(() => '')).trim();
  await until(async () => (await state()) === `${service} True`, {
    what: `the API server to reach ${service}`,
    deadlineMs: 120_000,
    everyMs: 500,
  });
}

/** Waits until no hub is registered. */
export async function hubIsGone(): Promise<void> {
  await until(async () => (await registeredHub()) === '', {
    what: 'the APIService to be deleted',
    deadlineMs: 60_000,
    everyMs: 200,
  });
}

/** The name of the APIService if there is one, and otherwise empty. */
export async function registeredHub(): Promise<string> {
  return await kubectl('get', hubApiService, '--ignore-not-found', '-o', 'name');
}

/** Sets the replicas of the hub that `make deploy` installs, and waits until the API is served, or gone. */
export async function scaleDeployedHub(replicas: number): Promise<void> {
  await kubectl('-n', 'kube-system', 'scale', 'deployment/podcap-hub', `--replicas=${replicas}`);
  if (replicas === 0) await hubIsGone();
  else await hubServes('podcap-hub');
}

/** Creates a namespace and deletes it. Throws if that takes longer than it does without an aggregated API. */
export async function deleteNamespaceAtOnce(name: string): Promise<void> {
  await kubectl('create', 'namespace', name);
  await kubectl('delete', 'namespace', name, '--timeout=30s');
}
