import { expect, test } from 'vitest';
import { specOf } from '../testing/fixtures.ts';
import type { CaptureStatus } from './capture-status.ts';
import { eventMessageOf } from './event-messages.ts';

const place = { nodeName: 'node1', isUninstall: () => false };
const totals = {
  captured: 90,
  dropped: 7,
  lostAtStop: 3,
  pruned: 50,
  missed: 2,
  duplicated: 0,
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
    { kind: 'failed', message: 'ended by SIGKILL' },
    'Warning CaptureFailed: will be retried: ended by SIGKILL',
  ],
  [
    { kind: 'refused', refusal: { reason: 'HostNetwork', message: 'because' } },
    'Warning HostNetwork: because',
  ],
  [
    { kind: 'stopped', why: 'PodEnded', totals },
    'Normal CaptureStopped: the Pod ended, its capture files are kept for the retention time; packets captured: 90, dropped by kernel: 7, lost at stop: 3, pruned: 50, missed: 2',
  ],
  [
    { kind: 'stopped', why: 'AnnotationRemoved', totals },
    'Normal CaptureStopped: the annotation was removed, its capture files are deleted; packets captured: 90, dropped by kernel: 7, lost at stop: 3, pruned: 50, missed: 2',
  ],
  [
    { kind: 'stopped', why: 'Refused', totals: { ...totals, duplicated: 4 } },
    'Normal CaptureStopped: the new request is refused, the capture files so far are kept; packets captured: 90 (4 of them duplicated), dropped by kernel: 7, lost at stop: 3, pruned: 50, missed: 2',
  ],
  [{ kind: 'stopped', why: 'AgentStopped', totals }, undefined],
];

test.each(cases)('the Event about %j', (status, expected) => {
  const event = eventMessageOf(status, place);
  expect(event && `${event.type} ${event.reason}: ${event.message}`).toBe(expected);
});

test('the Event about a capture that ends because the agents are uninstalled', () => {
  const uninstalled = { ...place, isUninstall: () => true };
  expect(eventMessageOf({ kind: 'stopped', why: 'AgentStopped', totals }, uninstalled)?.message).toBe(
    'Podcap is being uninstalled, the capture files stay on the Node; packets captured: 90, dropped by kernel: 7, lost at stop: 3, pruned: 50, missed: 2',
  );
  const ended = { kind: 'stopped', why: 'PodEnded', totals } as const;
  expect(eventMessageOf(ended, uninstalled)).toEqual(eventMessageOf(ended, place));
});
