/** A CapturePolicy as the API server sends it; its spec asks for 5 files of each Pod with the label app=web. */
export function policyObject(name: string, spec: object = {}, metadata: object = {}): object {
  return {
    apiVersion: 'policy.podcap.dev/v1alpha1',
    kind: 'CapturePolicy',
    metadata: {
      namespace: 'default',
      name,
      uid: `uid-${name}`,
      resourceVersion: '1',
      generation: 1,
      creationTimestamp: '2026-01-01T00:00:00Z',
      managedFields: [{ manager: 'kubectl', operation: 'Update' }],
      ...metadata,
    },
    spec: { selector: { matchLabels: { app: 'web' } }, files: 5, ...spec },
  };
}
