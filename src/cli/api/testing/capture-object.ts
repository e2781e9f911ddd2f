import { apiVersion, type Capture } from '../../../api/capture.ts';

/** The capture of a Pod of namespace shop, as the hub sends it. */
export function captureObject(
  name: string,
  { resourceVersion = '1' }: { readonly resourceVersion?: string } = {},
): Capture {
  return {
    apiVersion,
    kind: 'Capture',
    metadata: {
      name,
      namespace: 'shop',
      uid: `uid-of-${name}`,
      resourceVersion,
      creationTimestamp: '2026-11-30T18:00:00Z',
      labels: { app: name },
    },
    status: {
      recordings: [
        {
          uid: `pod-uid-of-${name}`,
          node: 'node1',
          phase: 'Capturing',
          phaseSince: '2026-11-30T18:00:00Z',
          startTime: '2026-11-30T18:00:00Z',
          podCreationTime: '2026-11-30T17:59:00Z',
          interfaces: ['eth0'],
          requestedBy: { kind: 'Annotation' },
          requested: { files: 5, fileMegabytes: 1 },
          files: 2,
          bytes: 1_500_000,
          packets: 1_234,
        },
      ],
    },
  };
}
