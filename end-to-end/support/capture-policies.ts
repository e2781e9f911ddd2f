import { kubectl } from './run-kubectl.ts';
import type { TestCluster } from './test-cluster.ts';

/** Where the CapturePolicies of a namespace are. */
export function policiesPath(namespace: string): string {
  return `/apis/policy.podcap.dev/v1alpha1/namespaces/${namespace}/capturepolicies`;
}

/** A CapturePolicy as it is created. */
export function policyManifest(name: string, spec: object): object {
  return { apiVersion: 'policy.podcap.dev/v1alpha1', kind: 'CapturePolicy', metadata: { name }, spec };
}

/** The CapturePolicies of a test's namespace. */
export type NamespacePolicies = {
  /** Selects the label app=<app>, and keeps 5 files, unless the spec says otherwise. */
  readonly create: (name: string, app: string, spec?: object) => Promise<void>;
  readonly patch: (name: string, spec: object) => Promise<void>;
  readonly delete: (name: string) => Promise<void>;
};

export function namespacePolicies({ client, namespace }: TestCluster): NamespacePolicies {
  const path = policiesPath(namespace);
  return {
    async create(name, app, spec = {}) {
      const body = policyManifest(name, { selector: { matchLabels: { app } }, files: 5, ...spec });
      await client.create({ path, body });
    },
    async patch(name, spec) {
      await client.patch({ path: `${path}/${name}`, body: { spec } });
    },
    async delete(name) {
      await kubectl('-n', namespace, 'delete', 'capturepolicy', name);
    },
  };
}
