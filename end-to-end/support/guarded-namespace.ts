import { captureAnnotation } from '../../src/agent/planner/annotations.ts';
import { until } from '../../src/base/until.ts';
import {
  dryRun,
  installPolicies,
  serviceAccount,
  type TestServiceAccount,
  waitForPolicy,
  warningsOf,
} from './admission-policies.ts';
import { test as clusterTest } from './cluster-test.ts';
import { idle } from './pod-manifests.ts';
import { kubectl } from './run-kubectl.ts';
import type { TestCluster } from './test-cluster.ts';
import { unscheduled, workload } from './workload-manifests.ts';

/** Annotations that the agent refuses, and the policy's words for it. */
export const bad = { [captureAnnotation]: '0' };
export const problem =
  'annotation tcpdump.antrea.io="0": must be a whole number of capture files from 1 to 100';

/** A controller that does not use a ServiceAccount. */
export const outsideOperator = 'operator@example.com';

export type Guarded = {
  readonly cluster: TestCluster;
  /** A controller that is not one of Kubernetes' own. */
  readonly controller: TestServiceAccount;
  /** Runs kubectl in the test's namespace as an administrator. */
  readonly asPerson: (...args: readonly string[]) => Promise<string[]>;
  readonly asController: (...args: readonly string[]) => Promise<string[]>;
  /** Creates an object, as a dry run unless it is `stored`. */
  readonly create: (object: object, how?: { as?: readonly string[]; stored?: true }) => Promise<string[]>;
};

/** A namespace with both policies, in which nothing is captured. */
export const test = clusterTest.extend(
  'guarded',
  { scope: 'file' },
  async ({ cluster }, { onCleanup }): Promise<Guarded> => {
    const stack = new AsyncDisposableStack();
    onCleanup(() => stack.disposeAsync());
    stack.use(await installPolicies(cluster, 'allowedValues', 'warnings'));
    const controller = stack.use(await serviceAccount(cluster, 'rollouts', ['admin']));
    const inNamespace = ['-n', cluster.namespace];
    const as = ['--kubeconfig', controller.kubeconfig, ...inNamespace];
    const guarded: Guarded = {
      cluster,
      controller,
      asPerson: (...args) => warningsOf([...inNamespace, ...args]),
      asController: (...args) => warningsOf([...as, ...args]),
      create: (object, { as: user = [], stored } = {}) =>
        warningsOf(
          [...inNamespace, ...user, 'create', ...(stored ? [] : ['--dry-run=server']), '-f', '-'],
          object,
        ),
    };
    const path = `/api/v1/namespaces/${cluster.namespace}/pods`;
    await waitForPolicy(() => cluster.client.create({ path, query: dryRun, body: pod('refused', bad) }));
    const warned = pod('warned', { 'podcap.dev/x': '' });
    await until(async () => (await guarded.create(warned)).length > 0, {
      what: 'the policy of warnings to be in effect',
    });
    await guarded.create(pod('web', {}), { stored: true });
    await guarded.create(deployment({ annotations: {}, more: { replicas: 0 } }), { stored: true });
    const users = ['system:kube-controller-manager', outsideOperator].map((user) => `--user=${user}`);
    await kubectl(...inNamespace, 'create', 'rolebinding', 'operators', '--clusterrole=admin', ...users);
    return guarded;
  },
);

/** A Pod that no Node runs. */
export function pod(name: string, annotations: Readonly<Record<string, string>>) {
  return { apiVersion: 'v1', kind: 'Pod', ...idle({ name, annotations, ...unscheduled }) };
}

/** The Deployment of workload(). */
export function deployment(options: Parameters<typeof workload>[0]) {
  return { apiVersion: 'apps/v1', kind: 'Deployment', ...workload(options) };
}
