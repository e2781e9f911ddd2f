import { expect, test } from 'vitest';
import { specOf } from '../testing/fixtures.ts';
import type { PodStatus } from './capture-status.ts';
import { announcementOf } from './event-messages.ts';

const place = { nodeName: 'node1' };
const totals = { captured: 90, dropped: 7, lost: 3, pruned: 50, missed: 2, doubled: 0, usedMs: 1_000 };
const spec = specOf(5);
const special = {
  files: 1,
  fileMegabytes: 10,
  interface: 'lo',
  filter: 'udp port 53',
  snaplen: 128,
  durationMs: 90_000,
};

const cases: readonly [PodStatus, string | undefined][] = [
  [{ kind: 'waiting' }, undefined],
  [{ kind: 'deleted', why: 'GraceOver' }, undefined],
  [
    { kind: 'capturing', generation: 1, spec, missedBefore: 0 },
    'Normal CaptureStarted: capturing eth0, keeping the last 5 files of 1 MB on node1; 0 packets passed before',
  ],
  [
    { kind: 'capturing', generation: 2, spec: special, missedBefore: 1 },
    'Normal CaptureStarted: capturing lo, keeping the last file of 10 MB, filter "udp port 53", 128 bytes of each packet, for 90 s on node1; 1 packet passed before',
  ],
  [
    { kind: 'capturing', generation: 1, spec, missedBefore: undefined },
    'Normal CaptureStarted: capturing eth0, keeping the last 5 files of 1 MB on node1; how many packets passed before is not known yet',
  ],
  [
    { kind: 'interfaceDown', generation: 1, interface: 'eth0' },
    'Warning InterfaceDown: eth0 was set down: nothing passes it, and it is captured again when it is up',
  ],
  [
    { kind: 'failed', message: 'ended by SIGKILL' },
    'Warning CaptureFailed: will try again: ended by SIGKILL',
  ],
  [
    { kind: 'refused', refusal: { reason: 'HostNetwork', message: 'because' } },
    'Warning HostNetwork: because',
  ],
  [
    { kind: 'stopped', why: 'PodEnded', totals },
    'Normal CaptureStopped: the Pod ended, its capture files stay for the time of grace; packets captured: 90, dropped by kernel: 7, lost at the stop: 3, pruned: 50, missed: 2',
  ],
  [
    { kind: 'stopped', why: 'AnnotationRemoved', totals },
    'Normal CaptureStopped: the annotation was removed, its capture files are deleted; packets captured: 90, dropped by kernel: 7, lost at the stop: 3, pruned: 50, missed: 2',
  ],
  [
    { kind: 'stopped', why: 'Refused', totals: { ...totals, doubled: 4 } },
    'Normal CaptureStopped: what is asked for now is refused, the capture files so far stay; packets captured: 90 (4 of them twice), dropped by kernel: 7, lost at the stop: 3, pruned: 50, missed: 2',
  ],
  [{ kind: 'stopped', why: 'AgentStopped', totals }, undefined],
];

test.each(cases)('%j', (status, expected) => {
  const announced = announcementOf(status, place);
  expect(announced && `${announced.type} ${announced.reason}: ${announced.message}`).toBe(expected);
});
