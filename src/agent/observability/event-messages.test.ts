import { expect, test } from 'vitest';
import { specOf } from '../testing/fixtures.ts';
import type { CaptureStatus } from './capture-status.ts';
import { eventMessageOf } from './event-messages.ts';

const place = { nodeName: 'node1' };
const totals = {
  captured: 90,
  dropped: 7,
  lostAtStop: 3,
  pruned: 50,
  missed: 2,
  duplicated: 0,
  unseen: 0,
  capturedMs: 1_000,
};
const spec = specOf(5);
const special = {
  files: 1,
  fileMegabytes: 10,
  interface: 'lo',
  filter: 'udp port 53',
  snaplen: 128,
  durationMs: 90_000,
};

const cases: readonly [CaptureStatus, string | undefined][] = [
  [{ kind: 'waiting' }, undefined],
  [{ kind: 'deleted', why: 'RetentionOver' }, undefined],
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
    'Warning InterfaceDown: eth0 is down: no packets pass, and capturing continues when it is up',
  ],
  [
    { kind: 'capturing', generation: 2, spec, missedBefore: 10, isOtherInterface: true },
    'Warning InterfaceReplaced: another interface has become eth0: capturing eth0, keeping the last 5 files of 1 MB on node1; 10 packets passed before',
  ],
  [
    { kind: 'interfaceRenamed', generation: 1, interface: 'eth0', name: '\u001b[2J' },
    'Warning InterfaceRenamed: eth0 was renamed "\\u001b[2J": it is still captured, until another interface becomes eth0',
  ],
  [
    { kind: 'failed', message: 'ended by SIGKILL' },
    'Warning CaptureFailed: will be retried: ended by SIGKILL',
  ],
  [
    { kind: 'refused', refusal: { reason: 'HostNetwork', message: 'because' } },
    'Warning HostNetwork: because',
  ],
  [
    { kind: 'stopped', why: 'PodEnded', totals },
    'Normal CaptureStopped: the Pod ended, its capture files are kept for the retention time; packets captured: 90, dropped by kernel: 7, lost at stop: 3, pruned: 50, missed: 2, unseen: 0',
  ],
  [
    { kind: 'stopped', why: 'AnnotationRemoved', totals },
    'Normal CaptureStopped: the annotation was removed, its capture files are deleted; packets captured: 90, dropped by kernel: 7, lost at stop: 3, pruned: 50, missed: 2, unseen: 0',
  ],
  [
    { kind: 'stopped', why: 'Refused', totals: { ...totals, duplicated: 4 } },
    'Normal CaptureStopped: the new request is refused, the capture files so far are kept; packets captured: 90 (4 of them duplicated), dropped by kernel: 7, lost at stop: 3, pruned: 50, missed: 2, unseen: 0',
  ],
  [
    { kind: 'stopped', why: 'DurationReached', totals: { ...totals, unseen: undefined } },
    'Normal CaptureStopped: the duration is over, the capture files are kept; packets captured: 90, dropped by kernel: 7, lost at stop: 3, pruned: 50, missed: 2, unseen: unknown',
  ],
  [
    { kind: 'stopped', why: 'DurationReached', totals: { ...totals, unseen: 7, isUnseenPartial: true } },
    'Normal CaptureStopped: the duration is over, the capture files are kept; packets captured: 90, dropped by kernel: 7, lost at stop: 3, pruned: 50, missed: 2, unseen: 7 (unknown for a part)',
  ],
  [{ kind: 'stopped', why: 'AgentStopped', totals }, undefined],
];

test.each(cases)('the Event about %j', (status, expected) => {
  const event = eventMessageOf(status, place);
  expect(event && `${event.type} ${event.reason}: ${event.message}`).toBe(expected);
});
