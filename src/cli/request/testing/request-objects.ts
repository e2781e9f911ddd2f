import type { Capture, CaptureRecording } from '../../../api/capture.ts';
import type { TargetPod } from '../../api/targets.ts';
import type { GivenArguments } from '../../cli-command.ts';

/** A Pod that runs on node1 and asks for nothing. */
export function targetPod(more: Partial<TargetPod> = {}): TargetPod {
  const name = more.name ?? 'web';
  return {
    namespace: 'shop',
    name,
    uid: `uid-${name}`,
    node: 'node1',
    phase: 'Running',
    isHostNetwork: false,
    isBeingDeleted: false,
    annotations: {},
    labels: {},
    ...more,
  };
}

/** The recording of the Pod web, which keeps five files. */
export function recording(more: Partial<CaptureRecording> = {}): CaptureRecording {
  return {
    uid: 'uid-web',
    node: 'node1',
    phase: 'Capturing',
    phaseSince: '2026-11-30T19:00:00.000Z',
    startTime: '2026-11-30T19:00:00.000Z',
    interfaces: ['eth0'],
    requested: { files: 5, fileMegabytes: 1 },
    requestedBy: { kind: 'Annotation' },
    files: 2,
    bytes: 1_500_000,
    ...more,
  };
}

/** The capture of a Pod, with these recordings. */
export function captureOf(name: string, recordings: readonly CaptureRecording[]): Capture {
  return {
    apiVersion: 'podcap.dev/v1alpha1',
    kind: 'Capture',
    metadata: {
      name,
      namespace: 'shop',
      uid: `capture-${name}`,
      resourceVersion: '1',
      creationTimestamp: '2026-11-30T19:00:00Z',
    },
    status: { recordings },
  };
}

/** A command line: options without a value are flags. */
export function givenArguments(
  positionals: readonly string[],
  options: Readonly<Record<string, string | true>> = {},
): GivenArguments {
  const entries = Object.entries(options);
  return {
    positionals,
    flags: new Set(entries.filter(([, value]) => value === true).map(([name]) => name)),
    values: new Map(entries.flatMap(([name, value]) => (value === true ? [] : [[name, [value]] as const]))),
  };
}
