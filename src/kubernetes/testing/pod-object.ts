/** A Pod as the API server sends it, with fields that Podcap does not keep. */
export function podObject(
  name: string,
  resourceVersion: string,
  annotations: Record<string, string> = {},
  labels: Record<string, string> = { app: name },
): object {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      namespace: 'default',
      name,
      uid: `uid-${name}`,
      resourceVersion,
      creationTimestamp: '2026-01-01T00:00:00Z',
      labels,
      managedFields: [{ manager: 'kubectl', operation: 'Update' }],
      annotations,
    },
    spec: { nodeName: 'node1', containers: [{ name: 'main', image: 'example' }] },
    status: { phase: 'Running', podIP: '10.0.0.1' },
  };
}
