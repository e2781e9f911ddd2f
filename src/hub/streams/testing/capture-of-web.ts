import type { Capture, CaptureRecording } from '../../../api/capture.ts';

/** A capture of Pod web in namespace shop, with these recordings, the newest first. */
export function captureOfWeb(...recordings: readonly CaptureRecording[]): Capture {
  return {
    apiVersion: 'podcap.dev/v1alpha1',
    kind: 'Capture',
    metadata: {
      name: 'web',
      namespace: 'shop',
      uid: 'uid-of-web',
      resourceVersion: '1',
      creationTimestamp: recordings.at(-1)?.startTime ?? '',
    },
    status: { recordings },
  };
}

export function recordingOn(node: string, uid: string, startTime = '2026-11-30T10:00:00Z'): CaptureRecording {
  return {
    uid,
    node,
    phase: 'Capturing',
    phaseSince: startTime,
    startTime,
    interfaces: ['eth0'],
    requestedBy: { kind: 'Annotation' },
    files: 1,
    bytes: 24,
  };
}
