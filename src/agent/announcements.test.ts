import { expect, test } from 'vitest';
import { announcementOf } from './announcements.ts';
import type { PodStatus } from './status.ts';

const place = { nodeName: 'node1', fileMegabytes: 1 };
const total = { captured: 90, received: 100, dropped: 7 };

const cases: readonly [PodStatus, string | undefined][] = [
  [{ kind: 'waiting' }, undefined],
  [{ kind: 'deleted' }, undefined],
  [
    { kind: 'capturing', generation: 1, files: 5, missedBefore: 0 },
    'Normal CaptureStarted: capturing eth0 on node1, keeping the last 5 files of 1 MB; 0 packets passed before',
  ],
  [
    { kind: 'capturing', generation: 2, files: 1, missedBefore: 1 },
    'Normal CaptureStarted: capturing eth0 on node1, keeping the last 1 file of 1 MB; 1 packet passed before',
  ],
  [
    { kind: 'capturing', generation: 1, files: 2, missedBefore: undefined },
    'Normal CaptureStarted: capturing eth0 on node1, keeping the last 2 files of 1 MB; how many packets passed before is not known',
  ],
  [
    { kind: 'failed', message: 'ended by SIGKILL' },
    'Warning CaptureFailed: will try again: ended by SIGKILL',
  ],
  [{ kind: 'refused', reason: 'HostNetwork', message: 'because' }, 'Warning HostNetwork: because'],
  [
    { kind: 'stopped', why: 'PodEnded', total },
    'Normal CaptureStopped: the Pod ended, its capture files stay; packets captured: 90, dropped by kernel: 7, lost at the stop: 3',
  ],
  [
    { kind: 'stopped', why: 'AnnotationRemoved', total: undefined },
    'Normal CaptureStopped: the annotation was removed, its capture files are deleted',
  ],
  [{ kind: 'stopped', why: 'AgentStopped', total }, undefined],
];

test.each(cases)('%j', (status, expected) => {
  const announced = announcementOf(status, place);
  expect(announced && `${announced.type} ${announced.reason}: ${announced.message}`).toBe(expected);
});
